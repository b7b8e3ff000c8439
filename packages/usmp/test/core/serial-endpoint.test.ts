import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, Frame, FrameType } from '#dist/core/frame.js';
import { HELLO_BURST, HELLO_RATE } from '#dist/core/limits.js';
import { SerialEndpoint, type SerialPeer } from '#dist/core/serial-endpoint.js';

/** What happened to a peer, in words. */
class Recorder implements SerialPeer {
  authenticated = false;
  readonly happened: string[] = [];

  handleFrame(frame: Uint8Array): void {
    this.happened.push(`frame ${frame[3]}`);
  }

  handleDisplaced(): void {
    this.happened.push('displaced');
  }

  /** What happened since the last time. */
  take(): string[] {
    return this.happened.splice(0);
  }
}

const DATA = frame(FrameType.DATA, 40);
const HELLO_ACK = frame(FrameType.HELLO_ACK, 32);

function frame(type: FrameType, length: number, fill = 0): Frame {
  return new Frame(encodeFrame(type, 0, new Uint8Array(length).fill(fill)));
}

/** A HELLO with a key of its own. */
function hello(key: number): Frame {
  return frame(FrameType.HELLO, 38, key);
}

/** A line on which handshakes have begun, and been finished where that is said. */
function line(...stages: ('open' | 'handshake')[]): {
  endpoint: SerialEndpoint<Recorder>;
  peers: Recorder[];
} {
  const endpoint = new SerialEndpoint<Recorder>(0);
  const peers = stages.map((stage, index) => {
    const peer = begin(endpoint, index + 1);
    if (stage === 'open') {
      peer.authenticated = true;
      endpoint.maySpeak(peer);
    }
    return peer;
  });
  for (const peer of peers) peer.take();
  return { endpoint, peers };
}

function begin(endpoint: SerialEndpoint<Recorder>, key: number): Recorder {
  const peer = new Recorder();
  assert.equal(endpoint.handleFrame(hello(key), 0), true);
  endpoint.add(peer, hello(key));
  return peer;
}

test('HELLO begins a handshake, which gets the frames of handshakes', () => {
  const { endpoint, peers } = line('handshake');
  assert.equal(endpoint.handleFrame(HELLO_ACK, 0), false);
  assert.deepEqual(peers[0]!.take(), ['frame 3']);
  assert.equal(endpoint.isOpen, false);
});

test('a new HELLO displaces the handshake under way', () => {
  const { endpoint, peers } = line('handshake');
  const next = begin(endpoint, 2);
  assert.deepEqual(peers[0]!.take(), ['displaced']);
  endpoint.handleFrame(HELLO_ACK, 0);
  assert.deepEqual(peers[0]!.take(), []);
  assert.deepEqual(next.take(), ['frame 3']);
  assert.equal(endpoint.maySpeak(peers[0]!), false);
});

test('the same HELLO once more goes to the handshake that it has begun', () => {
  const { endpoint, peers } = line('handshake');
  assert.equal(endpoint.handleFrame(hello(1), 0), false);
  assert.deepEqual(peers[0]!.take(), ['frame 1']);
});

test('the HELLO that an open session began with begins a handshake like any other', () => {
  const { endpoint, peers } = line('open');
  assert.equal(endpoint.handleFrame(hello(1), 0), true);
  assert.deepEqual(peers[0]!.take(), []);
});

test('frames of a session go nowhere while none is open', () => {
  const { endpoint, peers } = line('handshake');
  assert.equal(endpoint.handleFrame(DATA, 0), false);
  assert.deepEqual(peers[0]!.take(), []);
  endpoint.remove(peers[0]!);
  assert.equal(endpoint.handleFrame(DATA, 0), false);
});

test('frames of a handshake go nowhere while none is under way, and never to a session', () => {
  const { endpoint, peers } = line('open');
  for (const type of [FrameType.CHALLENGE, FrameType.HELLO_ACK, FrameType.SESSION_OK, FrameType.HELLO_RETRY])
    assert.equal(endpoint.handleFrame(frame(type, 32), 0), false);
  assert.equal(endpoint.handleFrame(frame(FrameType.HELLO, 54), 0), false);
  assert.deepEqual(peers[0]!.take(), []);
});

test('a HELLO of another length has no effect, such as the one with a cookie', () => {
  const { endpoint, peers } = line('handshake');
  for (const length of [0, 37, 39, 54]) {
    assert.equal(endpoint.handleFrame(frame(FrameType.HELLO, length), 0), false);
  }
  assert.deepEqual(peers[0]!.take(), []);
});

test('a session goes on, and gets its frames, while a handshake beside it is under way', () => {
  const { endpoint, peers } = line('open', 'handshake');
  const [session, handshake] = peers as [Recorder, Recorder];
  endpoint.handleFrame(DATA, 0);
  endpoint.handleFrame(HELLO_ACK, 0);
  assert.deepEqual(session.take(), ['frame 5']);
  assert.deepEqual(handshake.take(), ['frame 3']);
  assert.equal(endpoint.maySpeak(session), true);
  assert.equal(endpoint.maySpeak(handshake), true);
  assert.equal(endpoint.isOpen, true);
});

test('any number of handshakes that come to nothing leave the session alone', () => {
  const { endpoint, peers } = line('open', 'handshake', 'handshake', 'handshake');
  assert.deepEqual(peers[0]!.take(), []);
  endpoint.remove(peers[3]!);
  endpoint.handleFrame(DATA, 0);
  assert.deepEqual(peers[0]!.take(), ['frame 5']);
  assert.equal(endpoint.maySpeak(peers[0]!), true);
});

test('a session says nothing more from the moment on in which the handshake beside it has authenticated', () => {
  const { endpoint, peers } = line('open', 'handshake');
  const [session, handshake] = peers as [Recorder, Recorder];
  handshake.authenticated = true;
  assert.equal(endpoint.maySpeak(session), false);
  endpoint.handleFrame(DATA, 0);
  assert.deepEqual(session.take(), []);
  assert.deepEqual(handshake.take(), ['frame 5']);
});

test('the first word of a handshake that has authenticated displaces the session before, once', () => {
  const { endpoint, peers } = line('open', 'handshake');
  const [session, handshake] = peers as [Recorder, Recorder];
  handshake.authenticated = true;
  assert.equal(endpoint.maySpeak(handshake), true);
  assert.equal(endpoint.maySpeak(handshake), true);
  assert.deepEqual(session.take(), ['displaced']);
});

test('no session is forgotten where a HELLO comes between authentication and the first word', () => {
  const { endpoint, peers } = line('open', 'handshake');
  const [first, second] = peers as [Recorder, Recorder];
  second.authenticated = true;
  const third = begin(endpoint, 3);
  assert.deepEqual(first.take(), ['displaced']);
  assert.deepEqual(second.take(), []);
  assert.deepEqual(endpoint.peers, [third, second]);
});

test('a session that is over leaves the line to the handshake beside it', () => {
  const { endpoint, peers } = line('open', 'handshake');
  endpoint.remove(peers[0]!);
  assert.deepEqual(endpoint.peers, [peers[1]]);
  endpoint.handleFrame(DATA, 0);
  assert.deepEqual(peers[1]!.take(), []);
});

test('HELLOs of a line are answered at a bounded rate, repeats among them', () => {
  const { endpoint } = line();
  const answered = (now: number) => {
    let count = 0;
    for (let key = 0; key < 100; key++) if (endpoint.handleFrame(hello(key), now)) count++;
    return count;
  };
  assert.equal(answered(0), HELLO_BURST);
  assert.equal(answered(1_000), HELLO_RATE);
  const peer = new Recorder();
  assert.equal(endpoint.handleFrame(hello(1), 5_000), true);
  endpoint.add(peer, hello(1));
  for (let i = 0; i < 100; i++) endpoint.handleFrame(hello(1), 5_000);
  assert.ok(peer.take().length < HELLO_BURST);
});
