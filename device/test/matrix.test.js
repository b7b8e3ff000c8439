/**
 * The twin in C and whoever it meets, as programs and over real sockets and ports: each client with each server, over everything
 * that carries bytes, and every way in which they can fail to come together.
 */

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { describe } from 'node:test';
import { encodeLine } from '../../packages/usmp/dist/core/cobs.js';
import { encodeFrame, FrameType } from '../../packages/usmp/dist/core/frame.js';
import { USMPClient } from '../../packages/usmp/dist/index.js';
import { serve } from '../../packages/usmp/dist-test/cli/command.js';
import { ReleasedPeer, testWithPeer } from '../../packages/usmp/dist-test/interop/released-peer.js';
import { testWithPorts } from '../../packages/usmp/dist-test/support/ports.js';
import { openProxy } from '../../packages/usmp/dist-test/support/udp-proxy.js';
import {
  checkEchoesOfC,
  checkEchoesOfTypeScript,
  DEVICE_ID,
  KEY,
  runC,
  seesBye,
  serveC,
  serveTypeScript,
  WRONG_KEY,
} from './peers/both.js';
import { build, Program, retry, testWithTools, tools } from './peers/programs.js';

const BACKENDS = ['bearssl', 'psa', 'mbedtls'];
const TRANSPORTS = ['tcp', 'udp', 'serial+tcp'];
const LENGTHS = [452, 1_808];

/** For what nobody answers. Over UDP and lines silence is the only sign. */
const SOON = ['--handshake-timeout', '1.5'];

/** Whether the answer "no" comes as silence. */
const isSilent = (transport) => transport !== 'tcp';

/** Fewer than 64 frames must have gone to a peer over UDP when the keys change, and the longest messages have four. */
const countOf = (maxMessage) => (maxMessage > 452 ? 40 : 100);

if (tools !== undefined)
  await Promise.all([...BACKENDS.map((crypto) => build(crypto)), build('bearssl', 1_808)]);

describe('C client with TypeScript server', { concurrency: 4 }, () => {
  for (const crypto of BACKENDS.slice(1)) {
    testWithTools(`over tcp, with ${crypto}`, async (t) => {
      const { url, endings } = await serveTypeScript(t, 'tcp://127.0.0.1:0');
      await checkEchoesOfC(t, url, { crypto, count: 100 });
      assert.deepEqual(endings, ['bye']);
    });
  }
  for (const maxMessage of LENGTHS) {
    for (const transport of TRANSPORTS) {
      testWithTools(`over ${transport}, messages to ${maxMessage}`, async (t) => {
        const { url } = await serveTypeScript(t, `${transport}://127.0.0.1:0`);
        await checkEchoesOfC(t, url, { maxMessage, count: countOf(maxMessage) });
      });
    }
    testWithPorts(`over a serial port, messages to ${maxMessage}`, async (t, bench) => {
      const cable = await bench.cable();
      await serveTypeScript(t, cable.server.url);
      await checkEchoesOfC(t, cable.device.url, { maxMessage });
      // The line outlives the session.
      await checkEchoesOfC(t, cable.device.url, { maxMessage });
    });
  }
  for (const transport of TRANSPORTS) {
    testWithTools(
      `the server changes the keys over ${transport}, alone or when the client does`,
      async (t) => {
        for (const args of [[], ['--rekey']]) {
          const { server, url } = await serveTypeScript(t, `${transport}://127.0.0.1:0`);
          let changed;
          server.onSession(async (session) => {
            let number = 0;
            for await (const message of session) {
              await session.send(message);
              if (++number === 30) changed = session.rekey({ timeout: 10_000 });
            }
          });
          await checkEchoesOfC(t, url, { count: 60, args });
          await changed;
        }
      },
    );
  }
  testWithTools('over udp the keys change after 64 frames by force alone', async (t) => {
    const { url } = await serveTypeScript(t, 'udp://127.0.0.1:0');
    const { code, stderr } = await runC(t, url, ['--echo-check', '200', '--rekey']);
    assert.match(stderr, /^usmp-client: rekey_unsafe: /);
    assert.equal(code, 6);
    await checkEchoesOfC(t, url, { count: 200, args: ['--rekey-force'] });
  });
});

describe('TypeScript client with C server', { concurrency: 4 }, () => {
  for (const crypto of BACKENDS.slice(1)) {
    testWithTools(`over tcp, with ${crypto}`, async (t) => {
      const { server, url } = await serveC(t, 'tcp://127.0.0.1:0', { crypto });
      await checkEchoesOfTypeScript(url);
      await seesBye(server);
    });
  }
  for (const maxMessage of LENGTHS) {
    for (const transport of TRANSPORTS) {
      testWithTools(`over ${transport}, messages to ${maxMessage}`, async (t) => {
        const { server, url } = await serveC(t, `${transport}://127.0.0.1:0`, { maxMessage });
        await checkEchoesOfTypeScript(url, { maxMessage });
        await seesBye(server);
        assert.match(server.stderr, new RegExp(`^rekeyed ${DEVICE_ID}$`, 'm'));
      });
    }
    testWithPorts(`over a serial port, messages to ${maxMessage}`, async (t, bench) => {
      const cable = await bench.cable();
      const { server } = await serveC(t, cable.server.url, { maxMessage });
      await checkEchoesOfTypeScript(cable.device.url, { maxMessage });
      await seesBye(server);
      await checkEchoesOfTypeScript(cable.device.url, { maxMessage, deviceId: '02:00:00:00:00:2b' });
      await seesBye(server, '02:00:00:00:00:2b');
    });
  }
  testWithTools('a message that is too long for the C server is lost, and the session goes on', async (t) => {
    for (const transport of TRANSPORTS) {
      const { server, url } = await serveC(t, `${transport}://127.0.0.1:0`);
      const session = await new USMPClient({ url, psk: KEY, deviceId: DEVICE_ID }).connect();
      for (const size of [453, 1_808, 500]) await session.send(new Uint8Array(size));
      await session.send('short');
      assert.equal(Buffer.from(await session.recv({ timeout: 10_000 })).toString(), 'short');
      await session.close();
      await server.sees(/(?:lost a message.*\n){3}/, 'stderr');
    }
  });
  testWithTools('nothing is lost over udp while the client does not read', async (t) => {
    const { url } = await serveC(t, 'udp://127.0.0.1:0');
    const session = await new USMPClient({ url, psk: KEY, receiveQueue: 4_096 }).connect();
    const count = 60;
    const sent = (async () => {
      for (let number = 0; number < count; number++) await session.send(new Uint8Array(400).fill(number));
    })();
    // By then the server has no place left for an echo, nor for one more message.
    await retry(() => assert.ok(session.stats.framesRetransmitted > 0));
    for (let number = 0; number < count; number++) {
      assert.deepEqual(await session.recv({ timeout: 15_000 }), new Uint8Array(400).fill(number));
    }
    await sent;
    await session.close();
  });
  testWithTools('several devices at once, over everything at once', async (t) => {
    const args = TRANSPORTS.slice(1).flatMap((transport) => ['--listen', `${transport}://127.0.0.1:0`]);
    const { server } = await serveC(t, 'tcp://127.0.0.1:0', { args });
    await server.sees(/(?:listening .*\n){3}/);
    const urls = [...server.stdout.matchAll(/^listening (\S+)$/gm)].map(([, url]) => url);
    const devices = [0, 1, 2].flatMap((place) =>
      urls.map((url, i) => ({ url, deviceId: `02:00:00:00:0${place}:0${i}` })),
    );
    await Promise.all(devices.map(({ url, deviceId }) => checkEchoesOfTypeScript(url, { deviceId })));
    for (const { deviceId } of devices) await seesBye(server, deviceId);
  });
});

describe('C client with C server', { concurrency: 4 }, () => {
  for (const crypto of BACKENDS.slice(1)) {
    testWithTools(`over tcp, bearssl with ${crypto}`, async (t) => {
      const { url } = await serveC(t, 'tcp://127.0.0.1:0', { crypto });
      await checkEchoesOfC(t, url);
    });
  }
  for (const maxMessage of LENGTHS) {
    for (const transport of TRANSPORTS) {
      testWithTools(`over ${transport}, messages to ${maxMessage}`, async (t) => {
        const args = ['--once'];
        const { server, url } = await serveC(t, `${transport}://127.0.0.1:0`, { maxMessage, args });
        await checkEchoesOfC(t, url, { maxMessage, count: countOf(maxMessage) });
        assert.equal((await server.ended).code, 0);
        assert.match(server.stderr, /^disconnected .* bye: /m);
      });
    }
    testWithPorts(`over a serial port, messages to ${maxMessage}`, async (t, bench) => {
      const cable = await bench.cable();
      const { server } = await serveC(t, cable.server.url, { maxMessage });
      await checkEchoesOfC(t, cable.device.url, { maxMessage });
      await checkEchoesOfC(t, cable.device.url, { maxMessage });
      await server.sees(/(?:disconnected .* bye: [\s\S]*?){2}/, 'stderr');
    });
  }
});

describe('C and PyPI usmp 1.2.2', { concurrency: 3 }, () => {
  for (const protocol of ['tcp', 'udp']) {
    // Over UDP it may deliver in another order what was sent in one go.
    const window = ['--window', protocol === 'udp' ? '1' : '8'];
    for (const maxMessage of LENGTHS) {
      testWithPeer(
        '1.2.2',
        `C client with its server over ${protocol}, messages to ${maxMessage}`,
        async (t, python) => {
          const { peer, port } = await ReleasedPeer.serve(t, python, { psk: KEY, protocol });
          await checkEchoesOfC(t, `${protocol}://127.0.0.1:${port}`, {
            maxMessage,
            args: ['--rekey', ...window],
            count: 36,
          });
          assert.equal((await peer.event('closed')).message, 'Remote sent BYE');
        },
      );
    }
    testWithPeer('1.2.2', `its client with C server over ${protocol}`, async (t, python) => {
      const { server, url } = await serveC(t, `${protocol}://127.0.0.1:0`, { maxMessage: 1_808 });
      const peer = await ReleasedPeer.client(t, python);
      const { hostname: host, port } = new URL(url);
      await peer.command('connect', { host, port: Number(port), psk: KEY, deviceId: DEVICE_ID, protocol });
      const sizes = [0, 1, 451, 452, 453, 904, 1_808];
      // Before the messages: what is under way when it begins a REKEY, this peer takes for an attack.
      await peer.command('ping');
      await peer.command('send', { count: 20, sizes, window: 1 });
      assert.equal((await peer.command('waitReceived', { count: 20 })).received, 20);
      await peer.command('rekey');
      await peer.command('send', { first: 20, count: 10, sizes, window: 1 });
      assert.equal((await peer.command('waitReceived', { count: 30 })).received, 30);
      await peer.command('bye');
      await seesBye(server);
    });
  }
});

describe('over a line that loses, doubles and reorders datagrams', { concurrency: 5 }, () => {
  // A frame that is lost eight times in a row ends a session, which one in a thousand would be.
  const line = { loss: 0.2, duplication: 0.1, reordering: 0.2, lossesOfExchange: 4 };
  const patience = ['--timeout', '30', '--handshake-timeout', '30'];
  /** Where memory lets several frames be under way, as in TypeScript. */
  const roomy = { maxMessage: 1_808, count: 200, args: [...patience, '--echo-size', '452'] };

  testWithTools('C client with TypeScript server', async (t) => {
    const { url } = await serveTypeScript(t, 'udp://127.0.0.1:0');
    await checkEchoesOfC(t, (await openProxy(t, { server: url, ...line })).url, roomy);
  });

  testWithTools('TypeScript client with C server', async (t) => {
    const { url } = await serveC(t, 'udp://127.0.0.1:0', { maxMessage: 1_808 });
    const proxy = await openProxy(t, { server: url, ...line });
    await checkEchoesOfTypeScript(proxy.url, { count: 200, rekey: false });
  });

  testWithTools('C client with C server', async (t) => {
    const { url } = await serveC(t, 'udp://127.0.0.1:0', { maxMessage: 1_808 });
    await checkEchoesOfC(t, (await openProxy(t, { server: url, ...line })).url, roomy);
  });

  testWithTools('the keys change all the same', async (t) => {
    const { url } = await serveC(t, 'udp://127.0.0.1:0', { maxMessage: 1_808 });
    const proxy = await openProxy(t, { server: url, ...line });
    await checkEchoesOfC(t, proxy.url, { ...roomy, args: [...roomy.args, '--rekey'], count: 100 });
  });

  testWithTools('with memory for one message a C client and a C server take longer', async (t) => {
    const { url } = await serveC(t, 'udp://127.0.0.1:0');
    const proxy = await openProxy(t, { server: url, ...line });
    await checkEchoesOfC(t, proxy.url, { args: patience, count: 40 });
  });
});

describe('who is not let in', { concurrency: 6 }, () => {
  for (const transport of TRANSPORTS) {
    testWithTools(`a C client with a wrong key is refused over ${transport}`, async (t) => {
      const { url, refusals } = await serveTypeScript(t, `${transport}://127.0.0.1:0`);
      const args = ['--send', 'x', ...(isSilent(transport) ? SOON : [])];
      const { code, stdout, stderr } = await runC(t, url, args, { psk: WRONG_KEY });
      assert.deepEqual({ code, stdout }, { code: 3, stdout: '' });
      assert.match(stderr, /^usmp-client: refused: .*\n$/);
      assert.deepEqual(
        refusals.map(({ reason }) => reason),
        ['wrong-key'],
      );
      await checkEchoesOfC(t, url, { count: 10, args: [] });
    });

    testWithTools(
      `a TypeScript client with a wrong key is refused by a C server over ${transport}`,
      async (t) => {
        const { server, url } = await serveC(t, `${transport}://127.0.0.1:0`);
        const client = new USMPClient({ url, psk: WRONG_KEY, deviceId: DEVICE_ID, handshakeTimeout: 1_500 });
        await assert.rejects(client.connect(), { code: 'refused' });
        await server.sees(new RegExp(`^refused ${DEVICE_ID} from .*: wrong_key: `, 'm'), 'stderr');
        await checkEchoesOfTypeScript(url, { count: 10 });
      },
    );

    testWithTools(`a device that is not known is refused over ${transport}, by either server`, async (t) => {
      const listen = `${transport}://127.0.0.1:0`;
      const ours = await serveC(t, listen, { args: ['--device-id', DEVICE_ID] });
      const theirs = await serveTypeScript(t, listen, { psk: { [DEVICE_ID]: KEY } });
      for (const { url } of [ours, theirs]) {
        const known = await runC(t, url, ['--send', 'x', '--device-id', DEVICE_ID.toUpperCase()]);
        assert.deepEqual([known.code, known.stdout], [0, 'x\n'], known.stderr);
        const unknown = await runC(t, url, ['--send', 'x', ...SOON]);
        assert.match(unknown.stderr, /^usmp-client: refused: /);
        assert.equal(unknown.code, 3);
      }
    });

    testWithTools(`a server that proves another key is called rogue over ${transport}`, async (t) => {
      const { code, stderr } = await runC(t, await openRogue(t, transport), [
        '--send',
        'x',
        '--handshake-timeout',
        '5',
      ]);
      assert.match(stderr, /^usmp-client: rogue_server: .*impostor/);
      assert.equal(code, 3);
    });

    testWithTools(`firmware of version 1 is named to a C server over ${transport}`, async (t) => {
      const { server, url } = await serveC(t, `${transport}://127.0.0.1:0`);
      const hello = encodeFrame(FrameType.HELLO, 0, new Uint8Array(38));
      hello[2] = 1;
      await sendRaw(t, url, hello);
      await server.sees(/^refused a device from .*: version_1: .*update/m, 'stderr');
      await checkEchoesOfTypeScript(url, { count: 10 });
    });
  }

  testWithTools('a server of version 1 is named to a C client', async (t) => {
    const url = await listenRaw(t, (socket) => socket.end(Buffer.from('cdab0102', 'hex')));
    const { code, stderr } = await runC(t, url, ['--send', 'x']);
    assert.match(stderr, /^usmp-client: version_1: /);
    assert.equal(code, 6);
  });

  testWithTools('a server that is none is recognised by what it says', async (t) => {
    const url = await listenRaw(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const { code, stderr } = await runC(t, url, ['--send', 'x']);
    assert.match(stderr, /^usmp-client: bad_magic: .*check host, port/);
    assert.equal(code, 6);
  });

  testWithTools('a server that hangs up at once has turned the client away', async (t) => {
    const url = await listenRaw(t, (socket) => socket.end());
    const { code, stderr } = await runC(t, url, ['--send', 'x']);
    assert.match(stderr, /^usmp-client: turned_away: /);
    assert.equal(code, 3);
  });

  testWithTools('a server that says nothing, or nothing of use, is none', async (t) => {
    const mute = await listenRaw(t, () => {});
    const babble = dgram
      .createSocket('udp4')
      .on('message', (_, { port }) => babble.send('no such service', port));
    babble.bind(0, '127.0.0.1');
    await once(babble, 'listening');
    t.after(() => babble.close());
    const urls = [mute, mute.replace('tcp:', 'serial+tcp:'), `udp://127.0.0.1:${babble.address().port}`];
    const outcomes = await Promise.all(urls.map((url) => runC(t, url, ['--send', 'x', ...SOON])));
    for (const { code, stderr } of outcomes) {
      assert.match(stderr, /^usmp-client: handshake_timeout: /);
      assert.equal(code, 4);
    }
  });

  testWithTools('where nothing listens the client says so at once', async (t) => {
    const tcp = await listenRaw(t, () => {}, { close: true });
    for (const url of [
      tcp,
      tcp.replace('tcp:', 'serial+tcp:'),
      tcp.replace('tcp:', 'udp:'),
      'serial:/no/such/port',
    ]) {
      const began = performance.now();
      const { code, stderr } = await runC(t, url, ['--send', 'x']);
      assert.match(stderr, /^usmp-client: unreachable: /);
      assert.equal(code, 4, url);
      assert.ok(performance.now() - began < 4_000, 'no time-out is waited for');
    }
  });

  testWithTools('bytes that are no USMP do not disturb a C server', async (t) => {
    for (const transport of TRANSPORTS) {
      const { server, url } = await serveC(t, `${transport}://127.0.0.1:0`);
      await sendRaw(t, url, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
      if (transport === 'tcp') await server.sees(/^refused a device from .*: bad_magic: /m, 'stderr');
      await checkEchoesOfTypeScript(url, { count: 10 });
    }
  });

  testWithTools('a C server answers a HELLO that comes twice on a line by the same CHALLENGE', async (t) => {
    const { url } = await serveC(t, 'serial+tcp://127.0.0.1:0');
    const socket = await connectRaw(t, url);
    let answers = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      answers = Buffer.concat([answers, bytes]);
    });
    const hello = encodeLine(encodeFrame(FrameType.HELLO, 0, new Uint8Array(38).fill(9)));
    const length = encodeLine(encodeFrame(FrameType.CHALLENGE, 0, new Uint8Array(64))).length;
    for (const count of [1, 2, 3]) {
      socket.write(hello);
      await retry(() => assert.equal(answers.length, count * length));
      assert.deepEqual(answers.subarray(-length), answers.subarray(0, length));
    }
  });

  testWithTools('a C server that has no place left turns away', async (t) => {
    const { url } = await serveC(t, 'tcp://127.0.0.1:0');
    const idle = await Promise.all(Array.from({ length: 12 }, () => connectRaw(t, url)));
    const { code, stderr } = await runC(t, url, ['--send', 'x']);
    assert.match(stderr, /^usmp-client: turned_away: /);
    assert.equal(code, 3);
    idle[0].destroy();
    await retry(async () => assert.equal((await runC(t, url, ['--send', 'x'])).code, 0));
  });
});

describe('ends', { concurrency: 6 }, () => {
  for (const transport of ['tcp', 'serial+tcp', 'udp']) {
    testWithTools(`a server that is killed in the middle is missed over ${transport}`, async (t) => {
      const ours = await serveC(t, `${transport}://127.0.0.1:0`);
      const theirs = await serve(t, ['--listen', `${transport}://127.0.0.1:0`, '--psk', KEY, '--echo']);
      await theirs.server.sees(/(?:listening .*\n){2}/);
      const [, url] = theirs.server.stdout.match(/listening .*\nlistening (\S+)/);
      for (const server of [ours, { ...theirs, url }]) {
        const device = await openC(t, server.url);
        server.server.kill('SIGKILL');
        await server.server.ended;
        // Over UDP nobody hears that a process has died, before something is sent there.
        if (transport === 'udp') device.process.stdin.write('are you there?\n');
        const { code, stderr } = await device.ended;
        assert.match(stderr, /^usmp-client: connection_lost: /);
        assert.equal(code, 5);
      }
    });

    testWithTools(`a server that stops says BYE, and is found again over ${transport}`, async (t) => {
      for (const start of [serveC, serveTypeScript]) {
        const { server, url } = await start(t, `${transport}://127.0.0.1:0`);
        const device = await openC(t, url);
        if (server instanceof Program) server.kill('SIGTERM');
        else await server.close();
        const { code, stderr } = await device.ended;
        assert.match(stderr, /^usmp-client: bye: /);
        assert.equal(code, 5);
        if (server instanceof Program) assert.equal((await server.ended).code, 0);
        await start(t, url);
        await checkEchoesOfC(t, url, { count: 10 });
      }
    });
  }

  testWithTools('a C server that is killed is missed by a TypeScript client, and found again', async (t) => {
    const { server, url } = await serveC(t, 'tcp://127.0.0.1:0');
    const session = await new USMPClient({ url, psk: KEY }).connect();
    server.kill('SIGKILL');
    await assert.rejects(session.recv({ timeout: 10_000 }), { code: 'connection_lost' });
    await serveC(t, url);
    await checkEchoesOfTypeScript(url, { count: 10 });
  });

  testWithTools('a C server ends a session that it hears nothing of', async (t) => {
    const codes = { tcp: 'connection_lost', 'serial+tcp': 'bye' };
    for (const [transport, code] of Object.entries(codes)) {
      const args = ['--idle-timeout', '0.3'];
      const { server, url } = await serveC(t, `${transport}://127.0.0.1:0`, { args });
      const { stderr } = await runC(t, url, ['--listen-for', '10']);
      assert.match(stderr, new RegExp(`^usmp-client: ${code}: `));
      await server.sees(/^disconnected .*: idle_timeout: /m, 'stderr');
    }
  });

  testWithTools('a C client that is killed is missed by either server', async (t) => {
    const ours = await serveC(t, 'tcp://127.0.0.1:0');
    const theirs = await serveTypeScript(t, 'tcp://127.0.0.1:0');
    for (const { url } of [ours, theirs]) (await openC(t, url)).kill('SIGKILL');
    await ours.server.sees(/^disconnected .*: connection_lost: /m, 'stderr');
    await retry(() => assert.deepEqual(theirs.endings, ['connection_lost']));
  });

  testWithPorts('a serial line outlives a server, a client that is killed, and noise', async (t, bench) => {
    const cable = await bench.cable();
    const { server } = await serveC(t, cable.server.url);
    const device = await openC(t, cable.device.url);
    device.kill('SIGKILL');
    await device.ended;
    cable.server.write(Buffer.from('\r\nets Jun  8 2016 00:22:57\r\nrst:0x1 (POWERON_RESET)\r\n'));
    await checkEchoesOfC(t, cable.device.url, { count: 10 });
    await server.sees(/^disconnected .*: replaced: /m, 'stderr');
    server.kill('SIGKILL');
    await server.ended;
    await serveC(t, cable.server.url);
    await checkEchoesOfC(t, cable.device.url, { count: 10 });
  });

  testWithPorts(
    'a serial port that is unplugged ends the session, and the C server takes it when it is back',
    async (t, bench) => {
      const cable = await bench.cable();
      const { server } = await serveC(t, cable.server.url);
      const device = await openC(t, cable.device.url);
      await cable.device.unplug();
      const { code, stderr } = await device.ended;
      assert.match(stderr, /^usmp-client: connection_lost: /);
      assert.equal(code, 5);
      await cable.server.unplug();
      await server.sees(/^disconnected .*: connection_lost: /m, 'stderr');
      const again = await bench.cable();
      await retry(() =>
        checkEchoesOfC(t, again.device.url, { count: 10, args: ['--handshake-timeout', '3'] }),
      );
    },
  );
});

/** A C client with an open session. */
async function openC(t, url) {
  const { client } = await build();
  const device = new Program(t, client, [url, '--psk', KEY]);
  device.process.stdin.write('hello\n');
  await device.sees(/^hello\n/);
  return device;
}

/** A TCP server that is none; with `close` one that has gone again. */
async function listenRaw(t, onConnection, { close = false } = {}) {
  const sockets = [];
  const server = net.createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const end = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  if (close) {
    end();
    await once(server, 'close');
  } else t.after(end);
  return `tcp://127.0.0.1:${port}`;
}

async function connectRaw(t, url) {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A frame, or other bytes, as the transport has them. */
async function sendRaw(t, url, bytes) {
  const { protocol, port } = new URL(url);
  if (protocol === 'udp:') {
    const socket = dgram.createSocket('udp4');
    t.after(() => socket.close());
    await new Promise((resolve) => socket.send(bytes, Number(port), '127.0.0.1', resolve));
  } else {
    const socket = await connectRaw(t, url);
    socket.write(protocol === 'tcp:' ? bytes : encodeLine(bytes));
  }
}

/** A server that answers as if it knew the key. */
async function openRogue(t, transport) {
  // Any point will do that is not of low order.
  const challenge = encodeFrame(FrameType.CHALLENGE, 0, new Uint8Array(64).fill(9));
  const sessionOk = encodeFrame(FrameType.SESSION_OK, 0, new Uint8Array(48).fill(7));
  const answerTo = (frame) =>
    frame[3] === FrameType.HELLO ? challenge : frame[3] === FrameType.HELLO_ACK ? sessionOk : undefined;
  if (transport === 'udp') {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (datagram, { port }) => {
      const answer = datagram[0] === 0xcd ? answerTo(datagram) : undefined;
      if (answer !== undefined) socket.send(answer, port);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    t.after(() => socket.close());
    return `udp://127.0.0.1:${socket.address().port}`;
  }
  const isLine = transport === 'serial+tcp';
  const url = await listenRaw(t, (socket) => {
    let answers = 0;
    // Each frame of a client on loopback comes in one piece.
    socket.on('data', () => {
      const frame = [challenge, sessionOk][answers++];
      if (frame !== undefined) socket.write(isLine ? encodeLine(frame) : frame);
    });
  });
  return isLine ? url.replace('tcp:', 'serial+tcp:') : url;
}
