import assert from 'node:assert/strict';
import { test } from 'node:test';
import { USMPClient, USMPServer } from '#dist/index.js';
import { coded } from '../server/live.js';

const psk = 'sixteen bytes !!';

function server(options: object): USMPServer {
  return new USMPServer({ psk, ...options });
}

function client(options: object): USMPClient {
  return new USMPClient({ psk, ...options });
}

test('a typo in the name of an option is named, with the names there are', () => {
  assert.throws(
    () => server({ handshakeTimout: 5 }),
    coded('ArgumentError', 'invalid_argument', /"handshakeTimout".*handshakeTimeout/),
  );
  assert.throws(
    () => client({ keepAliveInterval: 5 }),
    coded('ArgumentError', 'invalid_argument', /"keepAliveInterval".*keepaliveInterval/),
  );
});

test('a typo inside backoff is named too', () => {
  assert.throws(
    () => server({ backoff: { afterr: 3 } }),
    coded('ArgumentError', 'invalid_argument', /afterr/),
  );
});

test('every documented option of a server is taken', () => {
  server({
    host: '127.0.0.1',
    port: 0,
    handshakeTimeout: 1,
    idleTimeout: 0,
    keepaliveInterval: 0,
    maxSessions: 1,
    maxSessionsPerAddress: Number.POSITIVE_INFINITY,
    maxHalfOpen: 1,
    maxHalfOpenPerAddress: 1,
    receiveQueue: 0,
    sendBacklog: 0,
    backoff: { after: Number.POSITIVE_INFINITY, base: 0, cap: 0 },
    logger: console,
  });
  server({ listen: ['tcp://127.0.0.1:0', 'tcp://[::1]:0'] });
});

test('every documented option of a client is taken', () => {
  client({
    host: '::1',
    port: 9000,
    protocol: 'tcp',
    deviceId: '02:00:00:00:00:01',
    handshakeTimeout: 1,
    keepaliveInterval: 0,
    idleTimeout: 0,
    receiveQueue: 0,
    sendBacklog: 0,
  });
  client({ url: 'tcp://localhost' });
});

test('a number that cannot be used is named with what is wrong', () => {
  for (const name of [
    'handshakeTimeout',
    'idleTimeout',
    'keepaliveInterval',
    'maxSessions',
    'maxSessionsPerAddress',
    'maxHalfOpen',
    'maxHalfOpenPerAddress',
    'receiveQueue',
    'sendBacklog',
  ]) {
    for (const value of [-1, Number.NaN, '5']) {
      const named = coded('ArgumentError', 'invalid_argument', new RegExp(`^${name} is ${value}`));
      assert.throws(() => server({ [name]: value }), named);
    }
  }
  assert.throws(
    () => server({ maxSessions: 0 }),
    coded('ArgumentError', 'invalid_argument', /maxSessions is 0.* 1 on/),
  );
  assert.throws(
    () => server({ backoff: { cap: -1 } }),
    coded('ArgumentError', 'invalid_argument', /backoff\.cap/),
  );
  for (const name of [
    'handshakeTimeout',
    'idleTimeout',
    'keepaliveInterval',
    'receiveQueue',
    'sendBacklog',
  ]) {
    assert.throws(
      () => client({ [name]: -5 }),
      coded('ArgumentError', 'invalid_argument', new RegExp(`^${name} is -5`)),
    );
  }
});

test('options that contradict each other are refused', () => {
  assert.throws(
    () => server({ listen: 'tcp://127.0.0.1:0', port: 9000 }),
    coded('ArgumentError', 'invalid_argument', /listen/),
  );
  assert.throws(
    () => client({ url: 'tcp://127.0.0.1:9', host: '127.0.0.1' }),
    coded('ArgumentError', 'invalid_argument', /url/),
  );
});

test('a missing key is named', () => {
  assert.throws(
    () => new USMPServer({} as never),
    coded('ArgumentError', 'invalid_argument', /psk is missing/),
  );
  assert.throws(
    () => new USMPClient({} as never),
    coded('ArgumentError', 'invalid_argument', /psk is missing/),
  );
});

test('addresses that cannot be used fail before anything is opened', () => {
  assert.throws(
    () => client({ url: 'tcp://127.0.0.1:0' }),
    coded('ArgumentError', 'invalid_argument', /port 0/),
  );
  assert.throws(
    () => client({ protocol: 'carrier-pigeon' }),
    coded('ArgumentError', 'invalid_argument', /carrier-pigeon/),
  );
  for (const port of [70_000, -1, 1.5]) {
    assert.throws(() => server({ port }), coded('ArgumentError', 'invalid_argument'));
    assert.throws(() => client({ port }), coded('ArgumentError', 'invalid_argument'));
  }
});
