import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libraryLogger, makeLogger } from '#dist/logging/logger.js';
import { openBed } from './bed.js';

function capture(format: 'json' | 'pretty') {
  const lines: string[] = [];
  const logger = makeLogger({ level: 'debug', format }, { write: (line) => void lines.push(line) });
  return { logger, lines };
}

for (const format of ['json', 'pretty'] as const)
  test(`secrets are not written, whatever the level at which they stand (${format})`, () => {
    const { logger, lines } = capture(format);
    const secrets = { key: 'S3CRET', psk: 'S3CRET', token: 'S3CRET', ticket: 'S3CRET', secret: 'S3CRET' };
    const headers = { authorization: 'Bearer S3CRET', cookie: 'usmp-gateway=S3CRET', 'set-cookie': 'S3CRET' };
    logger.info({ ...secrets, ...headers }, 'one');
    logger.info({ body: secrets, headers }, 'two');
    logger.info({ request: { body: secrets, headers } }, 'three');
    assert.equal(lines.length, 3);
    for (const line of lines) {
      assert.doesNotMatch(line, /S3CRET/);
      assert.match(line, /\[redacted\]/);
    }
  });

test('each line of the JSON log is an object with level, time and message', () => {
  const { logger, lines } = capture('json');
  logger.child({ device: '02:00:00:00:00:01' }).warn('refused');
  const { time, ...line } = JSON.parse(lines[0]!);
  assert.deepEqual(line, { level: 'warn', device: '02:00:00:00:00:01', msg: 'refused' });
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test('for people each entry ends its line, an error with its stack as well', () => {
  const { logger, lines } = capture('pretty');
  logger.info('hello');
  logger.error({ err: new Error('oops') }, 'failed');
  assert.match(lines[0]!, /^\[[\d:.]+\] INFO: hello\n$/);
  assert.match(lines[1]!, /ERROR: failed[\s\S]*oops[\s\S]*\n$/);
});

test('what the library logs comes into the same log, an error with its stack', () => {
  const { logger, lines } = capture('json');
  const library = libraryLogger(logger);
  library.debug('a');
  library.info('b');
  library.warn('c');
  library.error('d');
  library.error('e', new Error('oops'));
  const entries = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    entries.map(({ level, msg }) => [level, msg]),
    [
      ['debug', 'a'],
      ['info', 'b'],
      ['warn', 'c'],
      ['error', 'd'],
      ['error', 'e'],
    ],
  );
  assert.equal(entries[4].err.message, 'oops');
});

test('requests are logged with who made them, and without tickets, tokens and keys', async (t) => {
  const bed = await openBed(t);
  const ticket = bed.logins.createTicket('admin');
  await bed.ask('GET', `/login?ticket=${ticket}`, { as: null });
  await bed.ask('GET', '/login?ticket=S3CRET', { as: null });
  await bed.ask('GET', '/api/v1/status', { as: { token: 'usmp_S3CRET' } });
  const key = 'S3CRET S3CRET S3CRET';
  const { json } = await bed.ask('POST', '/api/v1/devices', { body: { name: 'lamp', key } });
  await bed.ask('POST', `/api/v1/devices/${json.device.id}/rotate`);
  const text = bed.log.join('');
  assert.doesNotMatch(text, /S3CRET/);
  assert.ok(!text.includes(ticket));
  for (const secret of Object.values(bed.secrets)) assert.ok(!text.includes(secret));
  const entries = bed.log.map((line) => JSON.parse(line));
  const added = entries.find(({ path, method }) => path === '/api/v1/devices' && method === 'POST');
  assert.equal(added.caller, 'boss');
  assert.equal(added.status, 201);
  assert.equal(added.level, 'info');
  assert.ok(entries.some(({ msg, address }) => msg === 'authentication failed' && address === '127.0.0.1'));
});

test('requests are counted by the template of their route, so that names of devices make no new series', async (t) => {
  const bed = await openBed(t);
  for (const name of ['one', 'two']) await bed.ask('GET', `/api/v1/devices/${name}`);
  await bed.ask('GET', '/some/scanner/path');
  const { text } = await bed.ask('GET', '/metrics');
  assert.match(text, /http_requests_total\{route="\/api\/v1\/devices\/\{id\}",method="GET",status="404"\} 2/);
  assert.match(text, /http_requests_total\{route="unmatched",method="GET",status="404"\} 1/);
});
