/**
 * Only the rows that are seen: the window scrolls, the rest is empty room above and below.
 *
 * @module
 */

import {
  observeWindowOffset,
  observeWindowRect,
  type VirtualItem,
  Virtualizer,
  windowScroll,
} from '@tanstack/virtual-core';
import type { RefObject } from 'preact';
import { useLayoutEffect, useReducer, useState } from 'preact/hooks';

export interface VirtualRows {
  readonly items: readonly VirtualItem[];
  /** Pixels of empty room. */
  readonly before: number;
  readonly after: number;
  readonly scrollTo: (index: number) => void;
}

/** Rows beyond the window that are there before they are seen. */
const OVERSCAN = 6;

/**
 * @param body what holds the rows; how far down the page it begins is measured
 * @param height of a row. Pixels
 */
export function useVirtualRows(
  count: number,
  height: number,
  body: RefObject<HTMLElement | null>,
): VirtualRows {
  const [, rerender] = useReducer((n: number) => n + 1, 0);
  const margin = useMargin(body);
  const options = {
    count,
    estimateSize: () => height,
    overscan: OVERSCAN,
    scrollMargin: margin,
    getScrollElement: () => window,
    observeElementRect: observeWindowRect,
    observeElementOffset: observeWindowOffset,
    scrollToFn: windowScroll,
    initialRect: { width: innerWidth, height: innerHeight },
    onChange: () => rerender(undefined),
  };
  const [virtualizer] = useState(() => new Virtualizer<Window, Element>(options));
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  // Rows of another height have other places.
  useLayoutEffect(() => virtualizer.measure(), [height, margin]);
  const items = virtualizer.getVirtualItems();
  const total = count * height;
  return {
    items,
    before: items.length === 0 ? 0 : items[0]!.start - margin,
    after: items.length === 0 ? total : total - (items.at(-1)!.end - margin),
    scrollTo: (index) => virtualizer.scrollToIndex(index),
  };
}

/** How far down the page something begins; what is above it may grow. */
function useMargin(body: RefObject<HTMLElement | null>): number {
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      const { current } = body;
      if (current !== null) setMargin(Math.round(current.getBoundingClientRect().top + scrollY));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [body]);
  return margin;
}
