import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { makeBed } from './bed.js';

test('without file, environment and flags all is as the defaults say', (t) => {
  const bed = makeBed(t);
  const { config, origins, file, fileReason, warnings } = bed.load();
  assert.equal(file, undefined);
  assert.equal(fileReason, 'no file');
  assert.deepEqual(warnings, []);
  assert.deepEqual(new Set(origins.values()), new Set(['default']));
  assert.deepEqual(config, {
    data: join(bed.folder, 'usmp-gateway-data'),
    listen: ['tcp://0.0.0.0:9000', 'udp://0.0.0.0:9000'],
    http: {
      host: '127.0.0.1',
      port: 8080,
      url: undefined,
      tls: undefined,
      dangerPlain: false,
      rateLimit: 1_200,
      bodyLimit: 16 * 1_024 ** 2,
      trustProxy: false,
    },
    log: { level: 'info', format: 'auto' },
    sessions: { max: 20_000, maxPerAddress: undefined, idleTimeout: 60_000, handshakeTimeout: undefined },
    outbox: { maxMessages: 100, expiry: 7 * 86_400_000, redeliver: false },
    history: { enabled: true, maxAge: 30 * 86_400_000, maxMessages: 1_000_000, maxBytes: 1_000_000_000 },
    events: { maxAge: 7 * 86_400_000, maxEvents: 100_000 },
    refused: { keep: 1_000 },
    storage: { sync: 'acknowledged' },
    shutdown: { deadline: 8_000 },
  });
});

test('a flag comes before the environment, that before the file, and that before the default', (t) => {
  const bed = makeBed(t);
  bed.write(
    'gateway.toml',
    '[outbox]\nmax_messages = 1\nexpiry = "1h"\nredeliver = true\n[sessions]\nmax = 7\n',
  );
  const { config, origins } = bed.load({
    env: { USMP_GATEWAY_OUTBOX_MAX_MESSAGES: '2', USMP_GATEWAY_OUTBOX_EXPIRY: '2h' },
    flags: { outboxMaxMessages: '3' },
  });
  assert.deepEqual(config.outbox, { maxMessages: 3, expiry: 7_200_000, redeliver: true });
  assert.equal(config.sessions.max, 7);
  assert.equal(origins.get('outbox.max_messages'), '--outbox-max-messages');
  assert.equal(origins.get('outbox.expiry'), 'USMP_GATEWAY_OUTBOX_EXPIRY');
  assert.equal(origins.get('outbox.redeliver'), 'gateway.toml:4');
  assert.equal(origins.get('sessions.max'), 'gateway.toml:6');
  assert.equal(origins.get('history.enabled'), 'default');
});

test('a time for handshakes that is given counts for all transports, also where it is what most of them have', (t) => {
  const { config } = makeBed(t).load({ flags: { sessionsHandshakeTimeout: '10s' } });
  assert.equal(config.sessions.handshakeTimeout, 10_000);
});

test('an environment variable that is empty counts as not set', (t) => {
  const { config, origins } = makeBed(t).load({
    env: { USMP_GATEWAY_LOG_LEVEL: '', USMP_GATEWAY_CONFIG: '' },
  });
  assert.equal(config.log.level, 'info');
  assert.equal(origins.get('log.level'), 'default');
});

test('texts of flags and environment become numbers, booleans and lists', (t) => {
  const { config } = makeBed(t).load({
    env: {
      USMP_GATEWAY_LISTEN: 'tcp://127.0.0.1:0, udp://127.0.0.1:0',
      USMP_GATEWAY_HISTORY_ENABLED: 'false',
      USMP_GATEWAY_SESSIONS_MAX_PER_ADDRESS: '1_000',
    },
    flags: { httpTrustProxy: true, httpListen: '[::1]:0', historyMaxBytes: '2 GiB' },
  });
  assert.deepEqual(config.listen, ['tcp://127.0.0.1:0', 'udp://127.0.0.1:0']);
  assert.equal(config.history.enabled, false);
  assert.equal(config.history.maxBytes, 2 * 1_024 ** 3);
  assert.equal(config.sessions.maxPerAddress, 1_000);
  assert.deepEqual([config.http.trustProxy, config.http.host, config.http.port], [true, '::1', 0]);
});

test('relative paths start from the folder of the file, those of flags and environment from the working directory', (t) => {
  const bed = makeBed(t);
  const text =
    'data = "d"\nlisten = ["unix:./a b.sock?mode=660"]\n[http]\ntls_cert = "c.pem"\ntls_key = "/k.pem"\n';
  bed.write('etc/my.toml', text);
  const inFile = bed.load({ file: 'etc/my.toml' }).config;
  assert.equal(inFile.data, join(bed.folder, 'etc/d'));
  assert.deepEqual(inFile.listen, [`unix:${bed.folder}/etc/a%20b.sock?mode=660`]);
  assert.deepEqual(inFile.http.tls, { cert: join(bed.folder, 'etc/c.pem'), key: '/k.pem' });
  const outside = bed.load({
    file: 'etc/my.toml',
    flags: { data: 'e', listen: ['unix:x.sock', 'unix:/run/y.sock'] },
    env: { USMP_GATEWAY_HTTP_TLS_CERT: 'f.pem' },
  }).config;
  assert.equal(outside.data, join(bed.folder, 'e'));
  assert.deepEqual(outside.listen, [`unix:${bed.folder}/x.sock`, 'unix:/run/y.sock']);
  assert.equal(outside.http.tls?.cert, join(bed.folder, 'f.pem'));
});

test('gateway.toml is found in the working directory, before that in the data folder, wherever that is', (t) => {
  const bed = makeBed(t);
  const here = bed.write('gateway.toml', '[refused]\nkeep = 11\n');
  assert.equal(bed.load().file, here);
  assert.match(bed.load().fileReason, /^gateway\.toml, found in the working directory$/);

  const inDefault = bed.write('usmp-gateway-data/gateway.toml', '[refused]\nkeep = 12\n');
  const found = bed.load();
  assert.equal(found.file, inDefault);
  assert.equal(found.config.refused.keep, 12);
  assert.equal(found.origins.get('refused.keep'), 'usmp-gateway-data/gateway.toml:2');
  assert.match(found.warnings.join(), /gateway\.toml is not read, as there is usmp-gateway-data/);

  const elsewhere = bed.write('other/gateway.toml', '[refused]\nkeep = 13\n');
  assert.equal(bed.load({ flags: { data: 'other' } }).file, elsewhere);
  assert.equal(bed.load({ env: { USMP_GATEWAY_DATA: 'other' } }).config.refused.keep, 13);
});

test('a file that is named is the only one that is looked at', (t) => {
  const bed = makeBed(t);
  bed.write('gateway.toml', 'nonsense');
  bed.write('a.toml', '[refused]\nkeep = 14\n');
  bed.write('b.toml', '[refused]\nkeep = 15\n');
  const env = { USMP_GATEWAY_CONFIG: 'b.toml' };
  assert.equal(bed.load({ env }).config.refused.keep, 15);
  assert.equal(bed.load({ env }).fileReason, 'b.toml, given by USMP_GATEWAY_CONFIG');
  assert.equal(bed.load({ env, file: 'a.toml' }).config.refused.keep, 14);
  assert.deepEqual(bed.problems({ file: 'c.toml' }), ['c.toml: cannot be read: there is no such file']);
});

test('a file found in the data folder cannot name another data folder', (t) => {
  const bed = makeBed(t);
  bed.write('usmp-gateway-data/gateway.toml', '\ndata = "elsewhere"\n');
  const [problem, ...others] = bed.problems();
  assert.match(problem!, /^usmp-gateway-data\/gateway\.toml:2: data: .*leave data out/);
  assert.deepEqual(others, []);
  bed.write('usmp-gateway-data/gateway.toml', 'data = "."\n');
  assert.equal(bed.load().config.data, join(bed.folder, 'usmp-gateway-data'));
});

test('a file that cannot be read is an error that says why', { skip: process.platform === 'win32' }, (t) => {
  const bed = makeBed(t);
  mkdirSync(join(bed.folder, 'folder.toml'));
  assert.deepEqual(bed.problems({ file: 'folder.toml' }), ['folder.toml: cannot be read: it is a folder']);
  bed.write('latin.toml', Buffer.from('# \xe9\n', 'latin1'));
  assert.match(bed.problems({ file: 'latin.toml' })[0]!, /^latin\.toml: cannot be read: it is not UTF-8/);
  bed.write('large.toml', '#'.repeat(1_048_577));
  assert.match(bed.problems({ file: 'large.toml' })[0]!, /more than 1 MiB/);
  chmodSync(bed.write('secret.toml', ''), 0o000);
  // Root may read everything.
  if (process.getuid?.() !== 0)
    assert.match(
      bed.problems({ file: 'secret.toml' })[0]!,
      /secret\.toml: cannot be read: this user may not/,
    );
});

test('a file may begin with a byte order mark and have the line ends of Windows', (t) => {
  const bed = makeBed(t);
  bed.write('gateway.toml', '\ufeff[refused]\r\nkeep = 16\r\n');
  assert.equal(bed.load().config.refused.keep, 16);
  assert.equal(bed.load().origins.get('refused.keep'), 'gateway.toml:2');
});

test('a name in the environment that is nearly one of ours is warned of, others are left alone', (t) => {
  const { warnings } = makeBed(t).load({
    env: {
      USMP_GATEWAY_OUTBOX_EXPIRE: '1d',
      USMP_GATEWAY_MASTER_KEY: 'hex:00',
      USMP_GATEWAY_SERVICE_HOST: '10.0.0.1',
      USMP_GATEWAY_PORT_8080_TCP_ADDR: '10.0.0.1',
    },
  });
  assert.deepEqual(warnings, [
    'USMP_GATEWAY_OUTBOX_EXPIRE in the environment is no option: did you mean USMP_GATEWAY_OUTBOX_EXPIRY?',
  ]);
});

test('tables can be written in a line, and names with dots', (t) => {
  const bed = makeBed(t);
  bed.write('gateway.toml', 'outbox = { max_messages = 5, redeliver = true }\nhistory.max_age = "1d"\n');
  const { config, origins } = bed.load();
  assert.deepEqual([config.outbox.maxMessages, config.outbox.redeliver], [5, true]);
  assert.equal(config.history.maxAge, 86_400_000);
  assert.equal(origins.get('history.max_age'), 'gateway.toml:2');
});
