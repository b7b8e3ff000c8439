/**
 * Fuzzing with a time budget: 5 seconds, a minute with USMP_LONG, or USMP_FUZZ_SECONDS. A failure prints the case; saved in `corpus/` it is
 * tried again in every later run. USMP_FUZZ_SEED repeats a run.
 */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { USMPError } from '#dist/core/errors.js';
import { FrameDecoder } from '#dist/core/frame.js';
import { HEADER_LENGTH, MAX_PAYLOAD } from '#dist/core/limits.js';
import { toHex } from '../support/bytes.js';
import { SeededRandom } from '../support/random.js';
import { type Case, formatCase, parseCase } from './case.js';
import { type Conversation, record } from './conversation.js';
import { mutate } from './mutate.js';
import { isHonest } from './oracle.js';
import { Target } from './target.js';

const SECONDS = Number(process.env.USMP_FUZZ_SECONDS ?? (process.env.USMP_LONG ? 60 : 5));
const SEED = Number(process.env.USMP_FUZZ_SEED ?? Date.now() % 1_000_000);

/** Sources are not copied to the build: from `dist-test/fuzz/`. */
const CORPUS = new URL('../../test/fuzz/corpus/', import.meta.url);

describe('the saved corpus', () => {
  for (const file of readdirSync(CORPUS).sort()) {
    test(`${file.replace(/\.txt$/, '').replaceAll('-', ' ')}: the verdict that was written down`, () => {
      const saved = parseCase(readFileSync(new URL(file, CORPUS), 'utf8'));
      assert.ok(saved.expect, 'a verdict');
      const target = new Target(saved.role);
      target.run(saved.steps);
      assert.equal(target.verdict, saved.expect);
    });
  }
});

test('a recorded conversation plays again, so that what is mutated is valid', () => {
  for (let seed = 0; seed < 20; seed++) {
    for (const conversation of record(seed, 8)) {
      const target = new Target(conversation.role);
      target.run(conversation.steps);
      assert.equal(target.verdict, conversation.expect);
      const delivered = target.messages.map(toHex);
      assert.deepEqual(delivered, conversation.honest.slice(0, delivered.length).map(toHex));
      if (conversation.expect !== 'closed') assert.equal(delivered.length, conversation.honest.length);
    }
  }
});

test(`whatever arrives, a typed error or a valid event, and nothing that was not sent (${SECONDS} s, seed ${SEED})`, (t) => {
  const random = new SeededRandom(SEED);
  const until = performance.now() + SECONDS * 1000;
  const verdicts = new Map<string, number>();
  let runs = 0;
  let seeds: Conversation[] = [];
  while (performance.now() < until) {
    if (runs % 500 === 0)
      seeds = Array.from({ length: 5 }, () => record(random.integer(0, 1e9), random.integer(0, 8))).flat();
    const seed = random.pick(seeds);
    const verdict = attack(seed, mutate(seed, random));
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    runs++;
  }
  t.diagnostic(`${runs} cases: ${[...verdicts].map(([verdict, count]) => `${verdict} ${count}`).join(', ')}`);
  assert.ok(runs > 10, 'there was time for some');
});

/** Runs one case, and says how it ended. */
function attack(seed: Conversation, steps: Case['steps']): string {
  const target = new Target(seed.role);
  try {
    target.run(steps);
    assert.ok(
      isHonest(target.messages, seed.honest, steps),
      'only what the honest peer has sent is delivered',
    );
  } catch (error) {
    const text = formatCase({ role: seed.role, steps });
    throw new Error(`${error}\nSave this in test/fuzz/corpus:\n${text}`, { cause: error });
  }
  return target.verdict;
}

test('a decoder that is fed anything holds less than one frame and throws nothing but its own errors', () => {
  const random = new SeededRandom(SEED);
  const until = performance.now() + Math.min(SECONDS * 200, 60_000);
  while (performance.now() < until) {
    const seed = random.pick(record(random.integer(0, 1e9), 2));
    const stream = mutate(seed, random).flatMap((step) => (step.do === 'input' ? [step.bytes] : []));
    const decoder = new FrameDecoder();
    let held = 0;
    try {
      for (const piece of stream) {
        decoder.push(piece);
        held += piece.length;
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
          held -= frame.bytes.length;
          assert.equal(frame.bytes.length, HEADER_LENGTH + frame.payload.length);
        }
        assert.ok(held < HEADER_LENGTH + MAX_PAYLOAD);
      }
    } catch (error) {
      if (!(error instanceof USMPError)) throw error;
    }
  }
});
