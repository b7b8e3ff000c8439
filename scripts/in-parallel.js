import { availableParallelism } from 'node:os';

/**
 * As many at a time as there are processors; results in the order of the items.
 *
 * @template T, R
 * @param {T[]} items @param {(item: T) => Promise<R>} act
 * @returns {Promise<R[]>}
 */
export async function inParallel(items, act) {
  /** @type {R[]} */
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await act(items[index]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}
