import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StreamConnection } from '#dist/core/stream-connection.js';
import {
  formatEndpoint,
  formatTransportURL,
  hostOf,
  limitKey,
  plainAddress,
  portOf,
} from '#dist/transports/address.js';
import { TransportRegistry } from '#dist/transports/registry.js';
import { tcp } from '#dist/transports/tcp.js';
import { coded } from '../server/live.js';

const registry = new TransportRegistry({ tcp }, { stream: StreamConnection });

function parse(text: string): { host: string; port: number } {
  const { url } = registry.find(text, 'listen');
  return { host: hostOf(url), port: portOf(url) };
}

test('a transport URL names a host and a port, 9000 where it names none', () => {
  assert.deepEqual(parse('tcp://192.0.2.7:1234'), { host: '192.0.2.7', port: 1234 });
  assert.deepEqual(parse('tcp://device-hub.example'), { host: 'device-hub.example', port: 9000 });
  assert.deepEqual(parse('tcp://0.0.0.0:0'), { host: '0.0.0.0', port: 0 });
  assert.deepEqual(parse('tcp://localhost:80/'), { host: 'localhost', port: 80 });
});

test('an IPv6 address stands in brackets in a URL and without them for sockets', () => {
  assert.deepEqual(parse('tcp://[2001:db8::1]:9001'), { host: '2001:db8::1', port: 9001 });
  assert.deepEqual(parse('tcp://[::]'), { host: '::', port: 9000 });
  assert.equal(formatTransportURL('tcp', '::1', 9000), 'tcp://[::1]:9000');
  assert.equal(formatEndpoint('192.0.2.7', 80), '192.0.2.7:80');
});

test('what is written can be read again', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      const { url } = registry.find(formatTransportURL('tcp', host, port), 'listen');
      assert.equal(portOf(url), port);
      assert.equal(limitKey(hostOf(url)), limitKey(plainHost(host)));
    }),
  );
});

/** URL parsers write IPv4 tails of IPv6 addresses in hexadecimal. */
function plainHost(host: string): string {
  return hostOf(new URL(formatTransportURL('tcp', host, 1)));
}

test('a URL that cannot be used is quoted, with what is wrong and one that can', () => {
  const cases: [string, RegExp][] = [
    ['127.0.0.1:9000', /transport|URL/],
    ['localhost:9000', /the transport is missing/],
    ['udp://127.0.0.1:9000', /unknown transport "udp", known: tcp;/],
    ['tcp://', /host/],
    ['tcp://:9000', /URL|host/],
    ['tcp://127.0.0.1:99999', /URL/],
    ['tcp://127.0.0.1:9000/path', /more than transport, host and port/],
    ['tcp://user@127.0.0.1:9000', /more than/],
    ['tcp://127.0.0.1?x=1', /more than/],
    ['tcp://2001:db8::1:9000', /URL/],
    ['', /URL/],
  ];
  for (const [text, wrong] of cases) {
    assert.throws(() => parse(text), coded('ArgumentError', 'invalid_argument', wrong), text);
    assert.throws(
      () => parse(text),
      (error: Error) =>
        error.message.startsWith(`"${text}"`) && error.message.includes('tcp://127.0.0.1:9000'),
      text,
    );
  }
});

test('an IPv4 address that a dual-stack socket shows as IPv6 is written as IPv4', () => {
  assert.equal(plainAddress('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(plainAddress('2001:db8::1'), '2001:db8::1');
  assert.equal(plainAddress('192.0.2.7'), '192.0.2.7');
});

test('limits count one IPv4 address, and all of an IPv6 /64 as one', () => {
  assert.equal(limitKey('192.0.2.7'), '192.0.2.7');
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }),
      fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 }),
      (groups, otherHost) => {
        const key = limitKey(canonical(groups));
        assert.equal(limitKey(canonical([...groups.slice(0, 4), ...otherHost])), key);
        const neighbour = [...groups];
        neighbour[3] = groups[3]! ^ 1;
        assert.notEqual(limitKey(canonical(neighbour)), key);
      },
    ),
  );
  assert.equal(limitKey('fe80::1%eth0'), limitKey('fe80::2%eth1'));
});

/** As the kernel writes it: the longest run of zeros folded. */
function canonical(groups: number[]): string {
  return hostOf(new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]`));
}
