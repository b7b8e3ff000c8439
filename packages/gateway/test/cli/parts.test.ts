import assert from 'node:assert/strict';
import test from 'node:test';
import type { Command } from 'commander';
import { apiPath } from '#dist/cli/api-client.js';
import { eventLine } from '#dist/cli/event-lines.js';
import { serverEvents } from '#dist/cli/event-source.js';
import { HTTPCarrier, NobodyThereError } from '#dist/cli/http-carrier.js';
import { duration, timeToCome } from '#dist/cli/option-values.js';
import { makeProgram } from '#dist/cli/program.js';
import { facts, table } from '#dist/cli/table.js';
import { oneLine, quoted, relative } from '#dist/cli/words.js';
import { serveHTTP } from './gateway.js';

const NOW = Date.parse('2026-11-26T17:00:00.000Z');

test('times are told as people do', () => {
  const before = (seconds: number) => relative(new Date(NOW - seconds * 1_000).toISOString(), NOW);
  assert.deepEqual([0, 1, 59, 60, 3_599, 3_600, 86_399, 86_400, 172_800, 6_000_000].map(before), [
    'now',
    '1 s ago',
    '59 s ago',
    '1 min ago',
    '59 min ago',
    '1 h ago',
    '23 h ago',
    '1 day ago',
    '2 days ago',
    '2026-09-18',
  ]);
  assert.deepEqual([-60, -604_799.5].map(before), ['in 1 min', 'in 7 days']);
  assert.equal(relative(null), '-');
});

test('columns stand under their heads, and the last one fits the terminal', () => {
  const rows = [
    ['lamp', 'ü', 'a long remark that is cut'],
    ['a', 'online', ''],
  ];
  assert.equal(
    table(['NAME', 'STATE', 'NOTE'], rows, { styled: false, width: 26 }),
    'NAME  STATE   NOTE\nlamp  ü       a long rema…\na     online\n',
  );
  assert.equal(
    facts([
      ['id', '1'],
      ['name', 'two\nlines'],
      ['gone', undefined],
    ]),
    'id    1\nname  two\n      lines\n',
  );
});

test('text from elsewhere acts on no terminal, shell or path', () => {
  assert.equal(oneLine('a\u001b[2J\r\nb\u0085\u2028'), 'a\\x1b[2J\\x0d\\x0ab\\x85\\u2028');
  assert.deepEqual(['lamp', "it's; rm -rf ~"].map(quoted), ['lamp', `'it'\\''s; rm -rf ~'`]);
  assert.equal(apiPath`/devices/${'../tokens?x'}/rotate`, '/devices/..%2Ftokens%3Fx/rotate');
  const event = { id: 7, at: new Date(0).toISOString(), device: null } as const;
  assert.match(
    eventLine({ ...event, type: 'message', data: { direction: 'in', text: '\u001b]0;x' } }, 'lamp'),
    / 7 {2}message {9}lamp {15}from the device: \\x1b\]0;x$/,
  );
  assert.match(
    eventLine(
      { ...event, type: 'refused', data: { reason: 'a\nb', tags: ['x', 'y'], name: 'lamp', none: null } },
      'lamp',
    ),
    /reason=a\\x0ab tags=x,y$/,
  );
});

test('a duration or a date is a time to come, anything else is none', () => {
  assert.equal(duration('10m'), 600_000);
  assert.ok(Math.abs(Date.parse(timeToCome('1d')) - Date.now() - 86_400_000) < 10_000);
  assert.equal(timeToCome('9000-01-31T12:00Z'), '9000-01-31T12:00:00.000Z');
  assert.equal(timeToCome('9000-01-31'), new Date(9000, 0, 31).toISOString());
  for (const text of ['2020-01-01', '9000-02-31x', '9000-13-01', 'soon', '0s', '-1d', '9000'])
    assert.throws(() => timeToCome(text), /must be a date like/i, text);
});

test('every command has --json, and no option takes a key, a token or a password', () => {
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const commands = makeProgram().commands.flatMap(leaves);
  assert.ok(commands.length > 30);
  for (const command of commands) {
    const flags = command.options.map(({ long }) => long);
    const isConfig = command.parent?.name() === 'config';
    const onGateway = ['--data', '--config', '--url', '--token-file'];
    // It has no answer, but a log, for which there is --log-format json.
    if (command.name() !== 'start')
      for (const flag of ['--json', ...(isConfig ? [] : onGateway)])
        assert.ok(flags.includes(flag), `${command.name()} ${flag}`);
    const values = command.options.filter(({ required, optional }) => required || optional);
    for (const { flags: text } of values) assert.doesNotMatch(text, /[<[](key|psk|token|secret|password)/i);
  }
});

test('events are read whole, however the stream is cut', async () => {
  const stream =
    ': hello\nretry: 2000\n\nid: 1\nevent: message\ndata: {"a":1}\n\n:\n\nid:2\ndata:x\ndata: y\r\n\r\nevent: gap\ndata: ü\n\nevent: cut\ndata: off';
  const expected = [
    { id: '1', type: 'message', data: '{"a":1}' },
    { id: '2', type: 'message', data: 'x\ny' },
    { id: '2', type: 'gap', data: 'ü' },
  ];
  const bytes = new TextEncoder().encode(stream);
  for (const size of [1, 2, 7, bytes.length]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.slice(index * size, (index + 1) * size),
    );
    const events = [];
    for await (const event of serverEvents(ReadableStream.from(chunks))) events.push(event);
    assert.deepEqual(events, expected, `chunks of ${size}`);
  }
});

test('who does not answer, and who is not there, are told apart', async (t) => {
  const silent = await serveHTTP(t, () => {});
  const request = { method: 'GET', path: '/', headers: {}, body: undefined } as const;
  await assert.rejects(new HTTPCarrier(silent, 'token', 50).send(request), /does not answer/);
  const cut = await serveHTTP(t, (_request, response) => response.destroy());
  await assert.rejects(
    new HTTPCarrier(cut, 'token').send(request),
    /cannot be reached: the connection was cut/,
  );
  // Nobody listens at the discard port of this machine.
  await assert.rejects(new HTTPCarrier('http://127.0.0.2:40001', 'secret').send(request), (error: Error) => {
    assert.ok(error instanceof NobodyThereError);
    assert.ok(!error.message.includes('secret'));
    return true;
  });
});
