/** What the core costs on a device, and that device/SIZE.md says so. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { COLUMNS, committedDocument, compilers, documentOf, gates, measureAll } from '../firmware/size.js';
import { skip } from './emulator.js';

/** @typedef {import('../firmware/size.js').Figures} Figures */

test('what the core costs', { timeout: 240_000 }, async (t) => {
  const figures = await measureAll();
  const lacking = COLUMNS.filter((_, index) => figures[index] === undefined).map(({ board }) => board);
  const missing = [...new Set(lacking)];

  await t.test(COLUMNS[0].title, async (t) => {
    const [first] = figures;
    if (first === undefined) return skip(t, 'the tools for rv32imc, or BearSSL,', 'the core stays small');
    for (const { promise, complaint } of gates(first))
      await t.test(promise, () => assert.equal(complaint, undefined, complaint));
  });

  const promise = 'device/SIZE.md is what would be written now';
  await t.test(promise, async (t) => {
    if (missing.length > 0) return skip(t, `the tools for ${missing.join(', ')}, or BearSSL,`, promise);
    const written = await committedDocument();
    const ours = (await compilers()).join(', ');
    if (written.includes(ours))
      return assert.equal(await documentOf(/** @type {Figures[]} */ (figures)), written, REMEDY);
    const notice = `the compilers are others than those of device/SIZE.md (${ours}), so only limits were checked`;
    t.diagnostic(notice);
    console.error(`*** ${notice}`);
  });
});

const REMEDY = 'device/SIZE.md is not what would be written now: run node device/firmware/size.js';
