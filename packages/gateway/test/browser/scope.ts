/** What belongs to all tests of a file, and goes with its last one. */

import { after } from 'node:test';

type Undo = () => unknown;

/** Where a `TestContext` is asked for `after` alone, this stands for the whole file. */
export const wholeFile = {
  after(undo: Undo): void {
    undoes.push(undo);
  },
};

const undoes: Undo[] = [];

after(async () => {
  for (const undo of undoes.reverse()) await undo();
});

/** Made when it is first asked for. */
export function once<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let made: Promise<Made> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
