import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '#dist/server/admission.js';
import { type SlotEntry, Slots } from '#dist/slots.js';

class Entry implements SlotEntry {
  readonly address: string;
  readonly #slots: Slots;
  evicted = false;

  constructor(slots: Slots, address: string) {
    this.#slots = slots;
    this.address = address;
  }

  evict(): void {
    this.evicted = true;
    this.#slots.delete(this);
  }
}

function fill(slots: Slots, addresses: string[]): Entry[] {
  return addresses.map((address) => {
    const entry = new Entry(slots, address);
    slots.add(entry);
    return entry;
  });
}

function evicted(entries: Entry[]): number[] {
  return entries.flatMap((entry, i) => (entry.evicted ? [i] : []));
}

test('when the slots are full, the oldest handshake of all gives way', () => {
  const slots = new Slots(3, 3);
  const entries = fill(slots, ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(evicted(entries), [0, 1]);
  assert.equal(slots.size, 3);
});

test('one address that takes too many loses its own oldest, not those of others', () => {
  const slots = new Slots(4, 2);
  const entries = fill(slots, ['honest', 'flood', 'flood', 'flood', 'flood', 'flood']);
  assert.deepEqual(evicted(entries), [1, 2, 3]);
  assert.equal(slots.size, 3);
});

test('a slot that is given back makes room for another', () => {
  const slots = new Slots(2, 1);
  const [first, second] = fill(slots, ['a', 'b']) as [Entry, Entry];
  slots.delete(first);
  slots.delete(first);
  const later = fill(slots, ['a']);
  assert.deepEqual(evicted([first, second, ...later]), []);
  assert.deepEqual([...slots.entries()], [second, ...later]);
});

test('one slot for each address and one in all still lets the newest in', () => {
  const slots = new Slots(1, 1);
  const entries = fill(slots, ['a', 'a', 'b', 'b']);
  assert.deepEqual(evicted(entries), [0, 1, 2]);
  assert.equal(slots.size, 1);
});

const OPTIONS = { after: 5, base: 1_000, cap: 60_000 };

test('the first failures are free, then the wait doubles up to its cap', () => {
  const backoff = new Backoff(OPTIONS, 100, 600_000);
  const waits = Array.from({ length: 14 }, () => {
    backoff.failed('192.0.2.7', 'id', 0);
    return backoff.wait('192.0.2.7', 'id', 0);
  });
  assert.deepEqual(
    waits,
    [0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000],
  );
});

test('a wait passes with the time', () => {
  const backoff = new Backoff(OPTIONS, 100, 600_000);
  for (let i = 0; i < 5; i++) backoff.failed('192.0.2.7', 'id', 10_000);
  assert.equal(backoff.wait('192.0.2.7', 'id', 10_400), 600);
  assert.equal(backoff.wait('192.0.2.7', 'id', 11_000), 0);
  assert.equal(backoff.wait('192.0.2.7', 'id', 99_000), 0);
});

test('ten thousand failures still wait no longer than the cap', () => {
  const backoff = new Backoff(OPTIONS, 100, 600_000);
  for (let i = 0; i < 10_000; i++) backoff.failed('192.0.2.7', 'id', 0);
  assert.equal(backoff.wait('192.0.2.7', 'id', 0), 60_000);
});

test('a bad device locks out neither its neighbours nor itself elsewhere', () => {
  const backoff = new Backoff(OPTIONS, 100, 600_000);
  for (let i = 0; i < 9; i++) backoff.failed('192.0.2.7', 'bad', 0);
  assert.ok(backoff.wait('192.0.2.7', 'bad', 0) > 0);
  assert.equal(backoff.wait('192.0.2.7', 'good', 0), 0);
  assert.equal(backoff.wait('192.0.2.8', 'bad', 0), 0);
});

test('a success wipes the slate clean, and so does a long time without failures', () => {
  const backoff = new Backoff(OPTIONS, 100, 600_000);
  for (let i = 0; i < 6; i++) backoff.failed('192.0.2.7', 'id', 0);
  backoff.succeeded('192.0.2.7', 'id');
  assert.equal(backoff.size, 0);
  for (let i = 0; i < 4; i++) backoff.failed('192.0.2.7', 'id', 0);
  backoff.failed('192.0.2.7', 'id', 600_000);
  assert.equal(backoff.wait('192.0.2.7', 'id', 600_000), 0);
});

test('when the table is full, the pair whose failure is longest ago is forgotten', () => {
  const backoff = new Backoff({ ...OPTIONS, after: 1 }, 3, 600_000);
  for (const id of ['a', 'b', 'c', 'a', 'd']) backoff.failed('192.0.2.7', id, 0);
  assert.equal(backoff.size, 3);
  const waiting = ['a', 'b', 'c', 'd'].filter((id) => backoff.wait('192.0.2.7', id, 0) > 0);
  assert.deepEqual(waiting, ['a', 'c', 'd']);
});

test('without a limit nobody ever waits', () => {
  const backoff = new Backoff({ ...OPTIONS, after: Number.POSITIVE_INFINITY }, 100, 600_000);
  for (let i = 0; i < 1_000; i++) backoff.failed('192.0.2.7', 'id', 0);
  assert.equal(backoff.wait('192.0.2.7', 'id', 0), 0);
});
