/**
 * Why devices are turned away, in plain words, and what to do.
 *
 * @module
 */

export type Remedy = 'admit' | 'rotate' | 'enable' | 'none';

export interface Reason {
  readonly title: string;
  readonly meaning: string;
  readonly remedy: string;
  /** What this page can do about it. */
  readonly action: Remedy;
}

const REASONS: Readonly<Record<string, Reason>> = {
  'unknown-device': {
    title: 'Unknown device',
    meaning: 'Its id is not registered here.',
    remedy: 'If it is yours, admit it. If not, somebody tries; there is nothing to do.',
    action: 'admit',
  },
  'wrong-key': {
    title: 'Wrong key',
    meaning: 'The id is registered, and the key that the device has is not the one that belongs to it.',
    remedy:
      'Check the key in the device: the whole of it, without spaces or quotes. If it is lost, rotate the key.',
    action: 'rotate',
  },
  disabled: {
    title: 'Disabled',
    meaning: 'Somebody has disabled this device. It keeps its key.',
    remedy: 'Enable it to let it in.',
    action: 'enable',
  },
  revoked: {
    title: 'Key revoked',
    meaning: 'Its key was revoked; it has none that is valid.',
    remedy: 'Give it a new key.',
    action: 'rotate',
  },
  'version-1': {
    title: 'Old version of the protocol',
    meaning: 'It speaks version 1 of USMP, which this gateway does not.',
    remedy: 'Update the library in the device to one that speaks version 2.',
    action: 'none',
  },
  timeout: {
    title: 'Gave up half-way',
    meaning: 'It connected and did not finish the handshake in time.',
    remedy:
      'Look at its network: a weak signal, or a device that restarts. A scan of ports looks like this, too.',
    action: 'none',
  },
  'bad-frame': {
    title: 'Not USMP',
    meaning: 'What it sent is not a handshake of USMP.',
    remedy:
      'Check that it connects to the right port with the right protocol. Web browsers and scanners look like this, too.',
    action: 'none',
  },
  busy: {
    title: 'Too many at once',
    meaning: 'The gateway had as many sessions or handshakes as it takes.',
    remedy:
      'It will try again. If it goes on, raise sessions.max or sessions.max_per_address in the configuration.',
    action: 'none',
  },
  backoff: {
    title: 'Tried too often',
    meaning: 'It failed several times and has to wait before it may try again.',
    remedy: 'Repair what it failed of before, which is another line of this list; then it gets in by itself.',
    action: 'none',
  },
};

export function reasonOf(reason: string): Reason {
  return (
    REASONS[reason] ?? {
      title: reason,
      meaning: '',
      remedy: 'See what the gateway says of it.',
      action: 'none',
    }
  );
}
