/**
 * Many small changes as few large ones.
 *
 * @module
 */

/**
 * A function that collects what it is given and hands it on together: the first at once, the others when `milliseconds`
 * have passed since.
 */
export function batched<Item>(
  milliseconds: number,
  flush: (items: readonly Item[]) => void,
): (item: Item) => void {
  let items: Item[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hand = () => {
    timer = undefined;
    if (items.length === 0) return;
    const taken = items;
    items = [];
    timer = setTimeout(hand, milliseconds);
    flush(taken);
  };
  return (item) => {
    items.push(item);
    // In a task of its own, so that what comes in one turn is one change.
    if (timer === undefined) timer = setTimeout(hand, 0);
  };
}
