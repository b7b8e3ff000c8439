/**
 * The client for microcontrollers, without an operating system in emulated boards, at the UART of which the TypeScript server
 * listens (`serial+tcp`). At most two boards run at a time.
 */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { BOARD_NAMES } from '../firmware/build.js';
import { boardTest } from './emulator.js';

/** What a board says of a session of `count` messages that nothing disturbs. @param {number} count */
const undisturbed = (count) => ['start 0', 'open', 'rekeyed', `echoes ${count}`, 'bye'];

describe('firmware in emulators', { concurrency: 2 }, () => {
  // The one that waits longest begins first.
  describe('on bad lines', { concurrency: 1 }, badLines);
  for (const board of BOARD_NAMES) {
    describe(board, { concurrency: 1 }, () => {
      sessions(board);
      resets(board);
      // What a key is compared with is the same code everywhere.
      if (board === BOARD_NAMES[0] || process.env.USMP_LONG) wrongKeys(board);
    });
  }
});

/** @param {import('../firmware/build.js').BoardName} board */
function sessions(board) {
  boardTest(
    '100 messages of mixed sizes come back intact, keys change on the way, BYE ends it',
    board,
    (bed) => talk(bed, 100),
  );
}

/** @param {import('./emulator.js').Bed} bed @param {number} count of messages */
async function talk(bed, count) {
  const server = await bed.startServer();
  const board = await bed.startBoard(server, `messages=${count}`);
  await board.end();
  assert.deepEqual(board.events, undisturbed(count));

  await server.over();
  assert.deepEqual(server.refusals, []);
  assert.deepEqual(server.ends, ['bye'], 'the server has seen an orderly end');
  const [{ lengths, rekeyedAfter }] = server.sessions;
  assert.equal(lengths.length, count);
  assert.deepEqual([Math.min(...lengths), Math.max(...lengths)], [0, 452]);
  assert(new Set(lengths).size > count / 2, 'sizes are mixed');
  assert.deepEqual(
    rekeyedAfter,
    [count / 2],
    'the server has changed the keys, and messages have come under both',
  );
}

/** @param {import('../firmware/build.js').BoardName} board */
function resets(board) {
  boardTest(
    'reset in mid-frame, it connects again on the same line, and the old session ends',
    board,
    async (bed) => {
      const server = await bed.startServer();
      const board = await bed.startBoard(server, 'messages=20', 'cut=5');
      await board.end();
      assert.deepEqual(board.events, ['start 0', 'open', 'reset', 'start 1', ...undisturbed(20).slice(1)]);

      await server.over();
      assert.deepEqual(server.ends, ['replaced', 'bye']);
      const [before, after] = server.sessions;
      assert.equal(before.peer, after.peer, 'it is the same line');
      assert.equal(before.lengths.length, 5, 'half a message is none');
      assert.equal(after.lengths.length, 20);
    },
  );
}

/** @param {import('../firmware/build.js').BoardName} board */
function wrongKeys(board) {
  boardTest('a key that is not the one of the server is refused', board, async (bed) => {
    const server = await bed.startServer({ psk: 'another-psk-here-16+' });
    const board = await bed.startBoard(server, 'handshake=3000');
    await board.end(1);
    assert.deepEqual(board.events, ['start 0', 'failed refused']);
    assert.deepEqual(server.refusals, ['wrong-key']);
    assert.deepEqual(server.sessions, []);
  });
}

/** Where a deadline decides, the board is one whose clock goes with that of the host while it sleeps. */
function badLines() {
  boardTest('damaged bytes cost a session or a try of a handshake, and nothing else', 'lx106', damage);
  boardTest('when the line is cut without a word, the board notices, and connects again', 'rv32imc', cut);
  boardTest('a server that has gone for good is noticed', 'lx106', gone);
  boardTest(
    'when the server is started again, the board is told, and connects to the new one',
    'cortex-m3',
    restart,
  );
  boardTest('what a line carries before HELLO does no harm', 'cortex-m0', noise);
  boardTest('with datagrams compiled in, lines work as without', 'rv32imc', (bed) => talk(bed, 40), {
    USMP_DATAGRAM: 1,
  });
}

/** @param {import('./emulator.js').Bed} bed */
async function damage(bed) {
  const server = await bed.startServer();
  const inMessage = { deep: 100 };
  const inChallenge = { deep: 20 };
  const relay = await bed.openRelay(server.port, {
    toServer: {
      blows: [
        { after: 2_000, how: 'flip', ...inMessage },
        { after: 6_000, how: 'lose', ...inMessage },
      ],
    },
    toBoard: {
      blows: [
        { after: 0, how: 'flip', ...inChallenge },
        { after: 4_000, how: 'flip', ...inMessage },
        { after: 8_000, how: 'add', ...inMessage },
      ],
    },
  });
  const board = await bed.startBoard(relay, 'messages=40', 'again=20', 'keepalive=500');
  await board.end();
  await server.over();
  assert.equal(relay.damaged, 5);

  assert.deepEqual(board.events.slice(-2), ['echoes 40', 'bye']);
  const lost = board.events.filter((line) => line.startsWith('lost '));
  assert(lost.length >= 4, 'each damaged message has ended a session');
  // Where the machine has no time for us, a sign of life may be missed on top of that.
  for (const line of lost) assert.match(line, /^lost (bad_sequence|bye|idle_timeout)$/);
  for (const end of server.ends) assert.match(end ?? '', /^(bad_sequence|bye|replaced)$/);
  assert.equal(server.ends.at(-1), 'bye');
}

/** @param {import('./emulator.js').Bed} bed */
async function noise(bed) {
  const server = await bed.startServer();
  const relay = await bed.openRelay(server.port, {
    toServer: { before: litter() },
    toBoard: { before: litter() },
  });
  const board = await bed.startBoard(relay, 'messages=20');
  await board.end();
  await server.over();
  assert.deepEqual(board.events, undisturbed(20));
  assert.deepEqual(server.ends, ['bye']);
}

/** Boot messages, a block longer than any, blocks that are none, and the beginning of one, as long as a frame. */
function litter() {
  return Buffer.concat([
    Buffer.from('ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\nlogin: \0'),
    Buffer.alloc(1_500, 0xff),
    Buffer.from([0x00, 0x00, 0x01, 0x00, 0x05, 0x11, 0x00, 0xc0, 0xff, 0x00]),
    Buffer.alloc(60, 0x3d),
  ]);
}

/** @param {import('./emulator.js').Bed} bed */
async function restart(bed) {
  const [first, second] = [await bed.startServer(), await bed.startServer()];
  const relay = await bed.openRelay(first.port);
  const board = await bed.startBoard(relay, 'messages=60', 'rekey=20', 'again=5');
  await first.until(() => first.sessions[0]?.lengths.length >= 30, '30 messages');
  relay.retarget(second.port);
  await first.close();
  await board.end();
  await second.over();
  assert.deepEqual(first.ends, ['shutdown']);
  assert.deepEqual(second.ends, ['bye']);
  assert.deepEqual(board.events, ['start 0', 'open', 'rekeyed', 'lost bye', 'open', 'echoes 60', 'bye']);
}

/** @param {import('./emulator.js').Bed} bed */
async function cut(bed) {
  const server = await bed.startServer();
  const relay = await bed.openRelay(server.port);
  const board = await bed.startBoard(
    relay,
    'messages=60',
    'rekey=20',
    'again=5',
    'pause=1500',
    'keepalive=500',
  );
  await server.until(() => server.sessions[0]?.lengths.length >= 30, '30 messages');
  relay.cut();
  await board.end();
  await server.over();
  assert.deepEqual(server.ends, ['connection_lost', 'bye']);
  const events = ['start 0', 'open', 'rekeyed', 'lost idle_timeout', 'open', 'echoes 60', 'bye'];
  assert.deepEqual(board.events, events);
}

/** @param {import('./emulator.js').Bed} bed */
async function gone(bed) {
  const server = await bed.startServer();
  const relay = await bed.openRelay(server.port);
  const board = await bed.startBoard(relay, 'messages=60', 'keepalive=500');
  await server.until(() => server.sessions[0]?.lengths.length >= 10, '10 messages');
  await relay.close();
  await board.end(1);
  await server.over();
  assert.deepEqual(server.ends, ['connection_lost']);
  assert.deepEqual(board.events, ['start 0', 'open', 'failed idle_timeout']);
}
