import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { USMPClient, type USMPClientOptions, USMPServer, type USMPSession } from '#dist/index.js';
import { nodeTransports } from '#dist/transports/node.js';
import { openError } from '#dist/transports/serial-port.js';
import {
  assertServes,
  clientFor,
  coded,
  connect,
  echo,
  eventually,
  type LiveServer,
  nextSession,
  PSK,
  park,
  startServer,
  stateOf,
  text,
  WRONG_PSK,
  within,
} from '../server/live.js';
import { pattern } from '../support/bytes.js';
import { type Cable, type PortBench, testWithPorts, unharmed } from '../support/ports.js';
import { SeededRandom } from '../support/random.js';
import { DATA, lineOf, RawLine } from '../support/raw-line.js';

const LIBRARY = import.meta.resolve('#dist/index.js');

/** Finds out within a second or two that nobody is there. */
const IMPATIENT = { keepaliveInterval: 300, idleTimeout: 1_500 };

/** A server on one end of a cable, and its URL for clients on the other. */
async function wired(
  t: Parameters<typeof startServer>[0],
  bench: PortBench,
  handler = echo,
): Promise<{ live: LiveServer; device: string; cable: Cable }> {
  const cable = await bench.cable();
  const live = await startServer(t, handler, { listen: cable.server.url });
  return { live, device: cable.device.url, cable };
}

/** The next bytes in a direction are lost; resolves when that has happened. */
function swallowing(cable: Cable, direction: 'up' | 'down'): Promise<void> {
  return new Promise((resolve) => {
    cable[direction] = () => {
      cable[direction] = unharmed;
      resolve();
      return new Uint8Array(0);
    };
  });
}

async function assertEchoes(session: USMPSession, message = 'are you there?'): Promise<void> {
  await session.send(message);
  assert.equal(text(await session.recv({ timeout: 10_000 })), message);
}

testWithPorts('messages of every size come back over two serial ports', async (t, bench) => {
  const { live, device } = await wired(t, bench);
  const session = await connect(t, live, { url: device });
  // Not all at once: socat does not read while it cannot write, so two full directions would wait for each other.
  const underWay = 16;
  for (let size = 0; size <= 1_808 + underWay; size++) {
    if (size <= 1_808) await session.send(pattern(size, size));
    const echoed = size - underWay;
    if (echoed < 0) continue;
    assert.deepEqual(await session.recv({ timeout: 20_000 }), pattern(echoed, echoed), `${echoed} bytes`);
  }
});

testWithPorts('both ends are called by their ports, and the listener by its URL', async (t, bench) => {
  const { live, device, cable } = await wired(t, bench);
  const arriving = nextSession(live.server);
  const session = await connect(t, live, { url: device });
  const there = await arriving;
  assert.deepEqual(live.server.urls, [cable.server.url]);
  assert.deepEqual([session.peer, session.transport], [cable.device.path, 'serial']);
  assert.deepEqual([there.peer, there.transport], [cable.server.path, 'serial']);
});

testWithPorts('a port on another machine reaches a serial+tcp listener by way of socat', async (t, bench) => {
  const live = await startServer(t, echo, { listen: 'serial+tcp://127.0.0.1:0' });
  const port = await bench.plug('remote', `tcp:127.0.0.1:${live.port},nodelay`);
  for (let i = 0; i < 3; i++) await assertServes(live, { url: port.url });
  assert.equal(port.process.exitCode, null, 'the connection was closed with a session');
});

testWithPorts('a device may say anything before HELLO, such as where it was built', async (t, bench) => {
  const { live, device, cable } = await wired(t, bench);
  cable.server.write(Buffer.from('ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13\r\n'));
  cable.server.write(Buffer.alloc(3_000, 0xff));
  await assertServes(live, { url: device });
});

testWithPorts('garbage between frames costs nothing', async (t, bench) => {
  const { live, device, cable } = await wired(t, bench);
  const session = await connect(t, live, { url: device });
  const random = new SeededRandom(5);
  for (let i = 0; i < 50; i++) {
    cable.server.write(Buffer.concat([random.bytes(random.integer(0, 700)), Buffer.of(0)]));
    cable.device.write(Buffer.concat([random.bytes(random.integer(0, 700)), Buffer.of(0)]));
    await assertEchoes(session, `message ${i}`);
  }
});

testWithPorts(
  'garbage inside of a frame ends the session at both ends, and the next one begins',
  async (t, bench) => {
    const { live, device, cable } = await wired(t, bench);
    const ended: string[] = [];
    live.server.on('disconnect', (_session, error) => ended.push(error.code));
    const session = await connect(t, live, { url: device });
    await assertEchoes(session);
    const damaging = new Promise<void>((resolve) => {
      cable.up = (bytes) => {
        cable.up = unharmed;
        resolve();
        return Buffer.concat([bytes.subarray(0, 20), Buffer.from('zzz'), bytes.subarray(20)]);
      };
    });
    await session.send('never arrives');
    await damaging;
    await session.send('shows that something is missing');
    await assert.rejects(within(session.recv(), 'the end'), coded('ConnectionClosedError', 'bye'));
    assert.deepEqual(ended, ['bad_sequence']);
    await assertServes(live, { url: device });
  },
);

testWithPorts('on a bad line no message is altered, doubled, moved or lost in between', async (t, bench) => {
  let received: Uint8Array[] = [];
  const { live, device, cable } = await wired(t, bench, async (session) => {
    const mine: Uint8Array[] = [];
    received = mine;
    for await (const message of session) {
      mine.push(message);
      await session.send(message);
    }
  });
  const seed = Number(process.env.USMP_LINE_SEED ?? 1);
  const random = new SeededRandom(seed);
  let cutOff = 0;
  for (let round = 0; round < 12; round++) {
    cable.up = cable.down = unharmed;
    const session = await connect(t, live, { url: device, ...IMPATIENT });
    cable.up = cable.down = (bytes) => damaged(bytes, random);
    const echoes: Uint8Array[] = [];
    const reading = (async () => {
      for await (const message of session) echoes.push(message);
    })().catch(() => {});
    const sent = Array.from({ length: 60 }, (_, i) => pattern(round * 100 + i, random.integer(0, 900)));
    for (const message of sent) await session.send(message).catch(() => {});
    await Promise.race([reading, eventually(() => echoes.length === sent.length, 'all echoes')]);
    if (session.closed) cutOff++;
    cable.up = cable.down = unharmed;
    await session.close();
    await reading;
    assert.deepEqual(received, sent.slice(0, received.length), `seed ${seed}, round ${round}`);
    assert.deepEqual(echoes, sent.slice(0, echoes.length), `seed ${seed}, round ${round}`);
  }
  assert.ok(cutOff > 0, 'the line was not bad enough');
  await assertServes(live, { url: device });
});

testWithPorts(
  'a device that is reset in the middle of a frame comes in again, and its old session ends',
  async (t, bench) => {
    const port = await bench.plug('server');
    const live = await startServer(t, echo, { listen: port.url });
    const ended: string[] = [];
    live.server.on('disconnect', (_session, error) => ended.push(error.code));
    const line = new RawLine((bytes) => port.write(bytes));
    port.onBytes((bytes) => line.take(bytes));
    const identity = { psk: PSK, deviceId: '02:00:00:00:00:07' };
    const before = await line.handshake(identity);
    const frame = lineOf(before.seal(DATA, 'x'.repeat(400)));
    line.write(frame.subarray(0, 200));
    const after = await within(line.handshake(identity), 'the second handshake');
    after.send('back again');
    assert.equal(text(await within(after.receive(), 'the echo')), 'back again');
    assert.deepEqual(ended, ['replaced']);
    assert.equal(line.unread, 0, 'the old session has said something into the new one');
  },
);

testWithPorts('a wrong key is refused, and the line stays open for the right one', async (t, bench) => {
  const { live, device } = await wired(t, bench);
  const wrong = clientFor(live, { url: device, psk: WRONG_PSK, handshakeTimeout: 1_500 });
  await assert.rejects(wrong.connect(), coded('AuthError', 'refused'));
  assert.deepEqual(
    live.refusals.map(({ reason }) => reason),
    ['wrong-key'],
  );
  await assertServes(live, { url: device });
});

testWithPorts('clients follow each other on one line, also one that went without BYE', async (t, bench) => {
  const { live, device, cable } = await wired(t, bench);
  for (let i = 0; i < 3; i++) await assertServes(live, { url: device });
  const vanished = await connect(t, live, { url: device });
  const swallowed = swallowing(cable, 'up');
  await vanished.close();
  await within(swallowed, 'BYE');
  assert.equal(live.server.sessions.size, 1);
  await assertServes(live, { url: device });
  await eventually(() => live.server.sessions.size === 0, 'the end of both sessions');
});

testWithPorts(
  'unplugging the port of a server ends its session; plugged in again it serves',
  async (t, bench) => {
    const { live, device, cable } = await wired(t, bench);
    const ended: string[] = [];
    live.server.on('disconnect', (_session, error) => ended.push(error.code));
    const session = await connect(t, live, { url: device, ...IMPATIENT });
    await assertEchoes(session);
    await cable.server.unplug();
    await eventually(() => ended.length === 1, 'the end of the session');
    assert.deepEqual(ended, ['connection_lost']);
    await assert.rejects(session.recv({ timeout: 10_000 }), coded('ConnectionClosedError', 'idle_timeout'));

    const again = await bench.plug('server');
    again.onBytes((bytes) => cable.device.write(bytes));
    cable.up = (bytes) => {
      again.write(bytes);
      return bytes;
    };
    await assertServes(live, { url: device });
    assert.deepEqual(live.log.matching(/warn|error/), []);
  },
);

testWithPorts(
  'a port that is unplugged in the middle of reading is gone, whatever the moment',
  async (t, bench) => {
    for (let i = 0; i < 6; i++) {
      const port = await bench.plug('server');
      const live = await startServer(t, park, { listen: port.url });
      const line = new RawLine((bytes) => port.write(bytes));
      port.onBytes((bytes) => line.take(bytes));
      await line.handshake({ psk: PSK });
      // Without a pause, so that a read is under way at any time.
      const chatter = setInterval(() => port.write(Buffer.alloc(200, 0x55)), 0);
      await eventually(() => live.server.sessions.size === 1, 'the session');
      await port.unplug();
      clearInterval(chatter);
      await eventually(() => live.server.sessions.size === 0, 'the end of the session');
      await live.server.close({ timeout: 0 });
    }
  },
);

testWithPorts(
  'unplugging the port of a client is connection_lost, and plugged in again it connects',
  async (t, bench) => {
    const { live, cable } = await wired(t, bench);
    const client = clientFor(live, { url: cable.device.url });
    const session = await client.connect();
    await cable.device.unplug();
    await assert.rejects(
      within(session.recv(), 'the end'),
      coded('ConnectionClosedError', 'connection_lost'),
    );
    await assert.rejects(client.connect(), coded('TransportError', 'unreachable', /no serial port/));

    const again = await bench.plug('device');
    again.onBytes((bytes) => cable.server.write(bytes));
    cable.down = (bytes) => {
      again.write(bytes);
      return bytes;
    };
    const next = await client.connect();
    await assertEchoes(next);
    await next.close();
  },
);

testWithPorts(
  'a server that is restarted is found again: after BYE at once, without it by PING',
  async (t, bench) => {
    const cable = await bench.cable();
    const first = await startServer(t, echo, { listen: cable.server.url });
    const client = clientFor(first, { url: cable.device.url, ...IMPATIENT });
    const session = await client.connect();
    await assertEchoes(session);
    await first.server.close();
    await assert.rejects(session.recv({ timeout: 10_000 }), coded('ConnectionClosedError', 'bye'));

    const second = await startServer(t, echo, { listen: cable.server.url });
    const another = await client.connect();
    await assertEchoes(another);
    const swallowed = swallowing(cable, 'down');
    await second.server.close();
    await within(swallowed, 'BYE');
    await startServer(t, echo, { listen: cable.server.url });
    await assert.rejects(another.recv({ timeout: 10_000 }), coded('ConnectionClosedError', 'idle_timeout'));
    await assertEchoes(await client.connect());
    await client.disconnect();
  },
);

testWithPorts('a listener that closes while its port is unplugged is done', async (t, bench) => {
  const port = await bench.plug('server');
  const live = await startServer(t, echo, { listen: port.url });
  await port.unplug();
  await within(live.server.close(), 'the end');
});

testWithPorts('closing frees the port at once, for the next in the same process too', async (_t, bench) => {
  const port = await bench.plug('server');
  for (let i = 0; i < 5; i++) {
    const server = new USMPServer({ psk: PSK, listen: port.url });
    server.onSession(echo);
    await server.listen();
    await server.close();
  }
  const impatient = new USMPClient({ psk: PSK, url: port.url, handshakeTimeout: 50 });
  for (let i = 0; i < 5; i++) {
    await assert.rejects(impatient.connect(), coded('USMPTimeoutError', 'handshake_timeout'));
  }
});

testWithPorts('an attempt that is aborted leaves the port free', async (t, bench) => {
  const { live, device } = await wired(t, bench, park);
  for (const wait of [0, 1, 5, 20]) {
    const aborter = new AbortController();
    const attempt = clientFor(live, { url: device }).connect({ signal: aborter.signal });
    const reason = new Error('changed my mind');
    setTimeout(() => aborter.abort(reason), wait);
    await attempt.then(
      (session) => session.close(),
      (error) => assert.equal(error, reason),
    );
  }
  const session = await connect(t, live, { url: device });
  assert.equal(await stateOf(session.recv()), 'pending');
});

testWithPorts('a port that somebody else has open is an error that says so', async (t, bench) => {
  const { live, cable } = await wired(t, bench);
  const second = new USMPServer({ psk: PSK, listen: cable.server.url });
  second.onSession(park);
  const open = /another program has the serial port .*server open/;
  await assert.rejects(second.listen(), coded('TransportError', 'address_in_use', open));
  const client = clientFor(live, { url: cable.server.url });
  await assert.rejects(client.connect(), coded('TransportError', 'unreachable', open));
});

testWithPorts('what is no serial port, or not there, is an error that says so', async (_t, bench) => {
  const file = join(bench.folder, 'file');
  await writeFile(file, '');
  const attempt = (path: string) => new USMPClient({ psk: PSK, url: `serial:${path}` }).connect();
  await assert.rejects(attempt(file), coded('TransportError', 'unreachable', /file is no serial port/));
  await assert.rejects(attempt(bench.folder), coded('TransportError', 'unreachable', /is no serial port/));
  const nowhere = join(bench.folder, 'nowhere');
  await assert.rejects(
    attempt(nowhere),
    coded('TransportError', 'unreachable', /no serial port .*nowhere: plug it in/),
  );
});

test('without the package serialport, the error says how to get it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'usmp-without-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const hooks = join(folder, 'hooks.mjs');
  await writeFile(
    hooks,
    `export function resolve(name, context, next) {
      if (name !== 'serialport') return next(name, context);
      throw Object.assign(new Error('no serialport here'), { code: 'ERR_MODULE_NOT_FOUND' });
    }`,
  );
  const output = await runScript(
    folder,
    `import { register } from 'node:module';
    register(${JSON.stringify(pathToFileURL(hooks).href)});
    const { USMPClient } = await import(${JSON.stringify(LIBRARY)});
    const client = new USMPClient({ psk: ${JSON.stringify(PSK)}, url: 'serial:/dev/ttyUSB0' });
    await client.connect().catch(({ name, message }) => console.log(name, message));`,
  );
  assert.match(output, /^ArgumentError .*npm install serialport/);
});

testWithPorts('nothing of a port keeps a process alive after close()', async (_t, bench) => {
  const [port, other] = [await bench.plug('server'), await bench.plug('device')];
  const output = await runScript(
    bench.folder,
    `import { USMPClient, USMPServer } from ${JSON.stringify(LIBRARY)};
    const psk = ${JSON.stringify(PSK)};
    const server = new USMPServer({ psk, listen: [${JSON.stringify(port.url)}, 'serial+tcp://127.0.0.1:0'] });
    server.onSession((session) => session.recv());
    await server.listen();
    const device = new USMPClient({ psk, url: server.urls[1] });
    await device.connect();
    const alone = new USMPClient({ psk, url: ${JSON.stringify(other.url)}, handshakeTimeout: 100 });
    await alone.connect().catch(({ code }) => console.log(code));
    await server.close({ timeout: 100 });
    console.log('closed');`,
  );
  assert.equal(output, 'handshake_timeout\nclosed\n');
});

test('a port without permission is an error that says what to do about it', async () => {
  const denied = await openError(
    '/dev/ttyUSB0',
    'listen',
    new Error('Error: Permission denied, cannot open /dev/ttyUSB0'),
  );
  assert.equal(denied.code, 'unreachable');
  assert.match(denied.message, process.platform === 'win32' ? /close the program/ : /dialout/);
  const other = await openError('/dev/ttyUSB0', 'connect', new Error('something new'));
  assert.match(other.message, /cannot open the serial port \/dev\/ttyUSB0: something new/);
});

test('a URL that is not understood is an error that says what to write', () => {
  const use = (url: string, options: Partial<USMPClientOptions> = {}) =>
    new USMPClient({ psk: PSK, url, ...options });
  for (const url of ['serial:/dev/ttyUSB0', 'serial:COM3?baud=9600', 'serial:///dev/ttyS0?baud=921600'])
    use(url);
  const cases: [url: string, message: RegExp][] = [
    ['serial://dev/ttyUSB0', /right behind the colon: serial:\/dev\/ttyUSB0/],
    ['serial:', /it names no port/],
    ['serial:?baud=9600', /it names no port/],
    ['serial:/dev/ttyUSB0?baud=0', /baud is "0"/],
    ['serial:/dev/ttyUSB0?baud=fast', /baud is "fast"/],
    ['serial:/dev/ttyUSB0?baud=', /baud is ""/],
    ['serial:/dev/ttyUSB0?baud=-9600', /baud is "-9600"/],
    ['serial:/dev/ttyUSB0?baud=9600.5', /baud is "9600.5"/],
    ['serial:/dev/ttyUSB0?baud=99999999999', /baud is "99999999999"/],
    ['serial:/dev/ttyUSB0?baud=9600&baud=300', /more than once/],
    ['serial:/dev/ttyUSB0?parity=even', /"parity" is no parameter: there is only baud/],
    ['serial:/dev/ttyUSB0#x', /more than a port and its speed/],
    ['serial:/dev/tty%USB0', /write %25/],
  ];
  for (const [url, message] of cases) {
    assert.throws(() => use(url), coded('ArgumentError', 'invalid_argument', message), url);
    assert.throws(
      () => new USMPServer({ psk: PSK, listen: url }),
      coded('ArgumentError', 'invalid_argument', message),
    );
  }
});

test('a port is not reached from an address', async () => {
  const { transport, url } = nodeTransports.find('serial:/dev/ttyUSB0', 'connect');
  await assert.rejects(
    transport.connect(url, { signal: new AbortController().signal, localAddress: '127.0.0.1' }),
    coded('ArgumentError', 'invalid_argument', /localAddress/),
  );
});

/** Changes, leaves out and adds a byte now and then. */
function damaged(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const out: number[] = [];
  for (const byte of bytes) {
    const chance = random.next();
    if (chance < 1 / 60_000) out.push(byte ^ (1 << random.integer(0, 7)));
    else if (chance < 2 / 60_000) continue;
    else if (chance < 3 / 60_000) out.push(byte, random.integer(0, 255));
    else out.push(byte);
  }
  return Uint8Array.from(out);
}

/** Runs a script in a process of its own, which has to come to its end by itself. Gives what it prints. */
async function runScript(folder: string, script: string): Promise<string> {
  const file = join(folder, 'script.mjs');
  await writeFile(file, script);
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [file], { timeout: 20_000 }, (error, output, complaints) => {
      if (error === null) resolve(output);
      else reject(new Error(`${error.message}\n${output}${complaints}`));
    });
  });
}
