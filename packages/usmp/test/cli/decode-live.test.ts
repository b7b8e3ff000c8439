import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import test, { type TestContext } from 'node:test';
import { KeyLog } from '#dist/cli/key-log-reader.js';
import { USMPClient, USMPServer } from '#dist/index.js';
import { CLIENT, pcap, SERVER, tcpPacket, udpPacket } from './capture-builder.js';
import { KEY } from './command.js';
import { type Decoded, decodeCapture, keyLogFile } from './decoding.js';

/** What passes between a client and a server, as a capture would have it. */
interface Recording {
  /** Where the client has to connect to. */
  readonly url: string;
  readonly packets: { data: Uint8Array }[];
}

async function recordUDP(t: TestContext, serverUrl: string): Promise<Recording> {
  const inner = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  const outer = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  t.after(() => {
    inner.close();
    outer.close();
  });
  await Promise.all([once(inner, 'listening'), once(outer, 'listening')]);
  const packets: { data: Uint8Array }[] = [];
  const serverPort = Number(new URL(serverUrl).port);
  let clientPort = 0;
  outer.on('message', (datagram, { port }) => {
    clientPort = port;
    packets.push({ data: udpPacket(CLIENT, SERVER, datagram) });
    inner.send(datagram, serverPort, '127.0.0.1');
  });
  inner.on('message', (datagram) => {
    packets.push({ data: udpPacket(SERVER, CLIENT, datagram) });
    outer.send(datagram, clientPort, '127.0.0.1');
  });
  return { url: `udp://127.0.0.1:${outer.address().port}`, packets };
}

async function recordTCP(t: TestContext, serverUrl: string): Promise<Recording> {
  const packets: { data: Uint8Array }[] = [];
  const relay = net.createServer((client) => {
    const server = net.connect(Number(new URL(serverUrl).port), '127.0.0.1');
    for (const [from, to, ends] of [
      [client, server, [CLIENT, SERVER]],
      [server, client, [SERVER, CLIENT]],
    ] as const) {
      let seq = 1;
      packets.push({ data: tcpPacket(ends[0], ends[1], seq++, new Uint8Array(0), { syn: true }) });
      from.on('data', (bytes) => {
        packets.push({ data: tcpPacket(ends[0], ends[1], seq, bytes) });
        seq += bytes.length;
        to.write(bytes);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => to.end());
    }
    t.after(() => {
      client.destroy();
      server.destroy();
    });
  });
  t.after(() => relay.close());
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return { url: `tcp://127.0.0.1:${(relay.address() as net.AddressInfo).port}`, packets };
}

/** A session with messages both ways around a REKEY, as `usmp decode --keylog` sees it. */
async function decodeSession(
  t: TestContext,
  transport: 'tcp' | 'udp',
  logging: 'client' | 'server',
): Promise<Decoded> {
  const lines: string[] = [];
  const log = { dangerKeyLog: (line: string) => lines.push(line) };
  const listen = [`${transport}://127.0.0.1:0`];
  const server = new USMPServer({ listen, psk: KEY, ...(logging === 'server' ? log : {}) });
  t.after(() => server.close({ timeout: 0 }));
  server.onSession(async (session) => {
    for await (const message of session) await session.send(message);
  });
  await server.listen();
  const recording = await (transport === 'udp' ? recordUDP : recordTCP)(t, server.urls[0]!);
  const client = new USMPClient({ url: recording.url, psk: KEY, ...(logging === 'client' ? log : {}) });
  const session = await client.connect();
  t.after(() => session.close());
  const echo = async (text: string) => {
    await session.send(text);
    await session.recv();
  };
  await echo('before');
  await session.rekey();
  await echo('after');
  await session.close();
  const keys = KeyLog.read(keyLogFile(t, ...lines));
  return decodeCapture(pcap(recording.packets), { keys });
}

for (const transport of ['tcp', 'udp'] as const) {
  for (const logging of ['client', 'server'] as const) {
    test(`a session over ${transport} is read with the key log of the ${logging}`, async (t) => {
      const { shown, words, notes } = await decodeSession(t, transport, logging);
      assert.deepEqual(
        words.filter((line) => line.startsWith('INVALID')),
        [],
      );
      assert.deepEqual(notes, []);
      const messages = new Set(
        shown.flatMap(({ facts }) =>
          facts.type === 'DATA' && facts.text ? [`${facts.from} ${facts.epoch} ${facts.text}`] : [],
        ),
      );
      assert.deepEqual(
        [...messages],
        ['client 0 before', 'server 0 before', 'client 1 after', 'server 1 after'],
      );
      const encrypted = shown.filter(({ facts }) => facts.sessionPrefix !== undefined);
      assert.ok(encrypted.every(({ facts }) => facts.from !== undefined));
      assert.ok(shown.some(({ facts }) => facts.salt !== undefined));
      const macs = shown.filter(({ facts }) => facts.event === 'utack' && facts.mac !== undefined);
      assert.equal(macs.length > 0, transport === 'udp');
      assert.ok(macs.every(({ facts }) => facts.macOk));
    });
  }
}
