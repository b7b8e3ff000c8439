import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, niceMaximum, pathOf } from '#dashboard/components/chart-scale.js';
import { ago, bytes, count, duration, rate, roundTrip } from '#dashboard/format.js';
import { hostsOf, snippetsFor } from '#dashboard/onboarding/snippets.js';
import { parse, show } from '#dashboard/payload.js';
import { reasonOf } from '#dashboard/refused/reasons.js';
import { resumeAt } from '#dashboard/state/scope.js';
import { merge } from '#dashboard/state/stats.js';

test('times, numbers and sizes are told in the unit that fits', () => {
  assert.deepEqual([0, 59_999, 60_000, 3_600_000, 172_800_000].map(duration), [
    '0 s',
    '59 s',
    '1 min',
    '1 h',
    '2 d',
  ]);
  assert.deepEqual([0, 65_000].map(ago), ['just now', '1 min ago']);
  assert.deepEqual([0, 0.01, 0.33, 4, 99.6, 12_345, 1_000_000].map(rate), [
    ...['0', '< 0.1', '0.3', '4', '100', '12.3 k', '1000 k'],
  ]);
  assert.deepEqual([null, 0.4, 12.5, 12_500].map(roundTrip), ['–', '0.4 ms', '13 ms', '12.5 s']);
  assert.deepEqual([0, 999, 1_000, 123_456, 1_500_000_000].map(bytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '123 kB',
    '1.5 GB',
  ]);
  assert.equal(count(1_234_567), '1,234,567');
});

test('what is typed as hexadecimal, text or JSON is sent as such, or refused with the reason', () => {
  assert.deepEqual(parse('68 65:6C,6c 0x6f', 'hex'), { body: { base64: 'aGVsbG8=' }, size: 5 });
  assert.deepEqual(parse('é', 'text'), { body: { text: 'é' }, size: 2 });
  assert.deepEqual(parse('{"on": true}', 'json'), { body: { json: { on: true } }, size: 11 });
  for (const [typed, format, problem] of [
    ['6', 'hex', /Half of a byte/],
    ['xy', 'hex', /Only the digits/],
    ['{on:1}', 'json', /not JSON/],
    ['x'.repeat(1_809), 'text', /at most 1808/],
  ] as const) {
    const parsed = parse(typed, format);
    assert.match('problem' in parsed ? parsed.problem : '', problem, typed.slice(0, 9));
  }
});

test('a message is shown as text, hexadecimal or JSON, and as itself where it is none', () => {
  assert.equal(show({ base64: '/wA=' }, 'sent'), 'ff 00');
  assert.equal(show({ text: 'hi' }, 'hex'), '68 69');
  assert.equal(show({ text: '{"a":1}' }, 'json'), '{\n  "a": 1\n}');
  assert.equal(show({ text: 'no json' }, 'json'), 'no json');
  assert.equal(show({ json: null }, 'sent'), 'null');
});

test('what would turn the order of a text around is shown by its number', () => {
  assert.equal(show({ text: 'pay \u202e001 \u2066' }, 'text'), 'pay ‹U+202E›001 ‹U+2066›');
  assert.equal(show({ json: '\u061c' }, 'json'), '"‹U+061C›"');
  assert.equal(show({ text: 'שלום' }, 'sent'), 'שלום');
});

test('JSON in lines has the values that came, whatever a number of JavaScript makes of them', () => {
  const came = '{"n":12345678901234567890,"f":1.0,"e":1e999,"a":[],"a":[{},"[{,:\\""]}';
  const lines = [
    ...['{', '  "n": 12345678901234567890,', '  "f": 1.0,', '  "e": 1e999,', '  "a": [],'],
    ...['  "a": [', '    {},', '    "[{,:\\""', '  ]', '}'],
  ];
  assert.equal(show({ text: came }, 'json'), lines.join('\n'));
});

test('JSON in lines does not become much longer than what came', () => {
  const deep = '['.repeat(904) + ']'.repeat(904);
  assert.ok(show({ text: deep }, 'json').length < 5_000);
});

test('every snippet has the key, the id and the address of the gateway', () => {
  const facts = {
    deviceId: '02:00:00:00:00:2a',
    key: 'k3y',
    host: '192.0.2.7',
    urls: ['udp://0.0.0.0:9000', 'tcp://0.0.0.0:9100'],
  };
  const snippets = snippetsFor(facts);
  assert.deepEqual(
    snippets.map(({ id }) => id),
    ['shell', 'arduino', 'esp-idf', 'node', 'python'],
  );
  for (const { id, code } of snippets) {
    assert.match(code, /k3y/, id);
    assert.match(code, /192\.0\.2\.7/, id);
    assert.match(code, /9100/, id);
    assert.match(code, /02:00:00:00:00:2a|02000000002a|0x02, 0x00, 0x00, 0x00, 0x00, 0x2a/, id);
  }
});

test('the address for devices is one that they can reach, where one is known', () => {
  assert.deepEqual(hostsOf(['tcp://192.0.2.7:9000'], 'localhost', ['10.0.0.1']), ['192.0.2.7']);
  assert.deepEqual(hostsOf(['tcp://0.0.0.0:9000'], 'gateway.example', ['10.0.0.1']), [
    'gateway.example',
    '10.0.0.1',
  ]);
  assert.deepEqual(hostsOf(['tcp://0.0.0.0:9000'], '127.0.0.1', ['10.0.0.1']), ['10.0.0.1']);
  assert.deepEqual(hostsOf(['tcp://0.0.0.0:9000'], 'localhost', []), ['127.0.0.1']);
});

test('every reason of a refusal has words and a remedy; one that is not known is told as it is', () => {
  const reasons = [
    'wrong-key',
    'unknown-device',
    'version-1',
    'timeout',
    'bad-frame',
    'busy',
    'revoked',
    'backoff',
    'disabled',
  ];
  for (const reason of reasons) assert.notEqual(reasonOf(reason).title, reason);
  assert.equal(reasonOf('new-one').title, 'new-one');
});

test('a stream goes on where it was after a short break, and begins anew after a long one', () => {
  assert.deepEqual(resumeAt(90, 100), { after: 90, fresh: false });
  assert.deepEqual(resumeAt(undefined, 100), { after: 100, fresh: true });
  assert.deepEqual(resumeAt(1, 100_000), { after: 100_000, fresh: true });
  assert.deepEqual(resumeAt(200, 100), { after: 100, fresh: true });
});

test('scales of charts end at round numbers, and lines break where nothing is known', () => {
  assert.deepEqual(
    [0, 3, 1_979, 10_000].map((most) => niceMaximum(most)),
    [1, 5, 2_000, 10_000],
  );
  const points = [
    { at: 0, value: 0 },
    { at: 10, value: 10 },
    { at: 20, value: null },
    { at: 100, value: 5 },
  ];
  assert.equal(pathOf(points, 0, 100, 10, 15), 'M0.00 100.00h0L10.00 0.00M100.00 50.00h0');
  assert.equal(nearest(points, 18, 10)?.at, 10);
  assert.equal(nearest(points, 50, 10), undefined);
});

test('samples are kept for an hour, and rates survive a restart of the gateway', () => {
  const answer = (at: number, messagesIn: number, samples: number[]) => ({
    at: new Date(at).toISOString(),
    interval: 10,
    devices: { registered: 1, online: 1 },
    totals: { messagesIn, messagesOut: 0 },
    roundTrip: null,
    samples: samples.map((time) => ({
      at: new Date(time).toISOString(),
      ...{ online: 1, messagesIn: 20, messagesOut: 0, refused: 0, roundTrip: null },
    })),
  });
  const first = merge(undefined, answer(4_000_000, 100, [300_000, 3_990_000]));
  assert.deepEqual([first.samples.length, first.rates], [1, { in: 2, out: 0 }]);
  const second = merge(first, answer(4_005_000, 150, [4_000_000]));
  assert.deepEqual([second.samples.length, second.rates], [2, { in: 10, out: 0 }]);
  assert.deepEqual(merge(second, answer(4_010_000, 0, [])).rates, { in: 2, out: 0 });
});
