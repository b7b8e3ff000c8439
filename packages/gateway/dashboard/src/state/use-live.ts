/**
 * What pages do with live data.
 *
 * @module
 */

import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { GatewayEvent } from '../api/types.js';
import { epoch, isStreaming, line, listen } from './connection.js';
import type { Scope } from './scope.js';

/**
 * Listens to events while the component is there.
 *
 * @param load called when what is shown has to be read (again)
 */
export function useLive(scope: Scope, onEvent: (event: GatewayEvent) => void, load: () => void): void {
  const latest = useRef({ onEvent, load });
  latest.current = { onEvent, load };
  const { device } = scope;
  const types = scope.types.join();
  // The scope is told by its parts.
  useEffect(() => listen(scope, (event) => latest.current.onEvent(event)), [device, types]);
  const mounted = useRef(false);
  useSignalEffect(() => {
    // Effects run after the next frame. A stream that has broken off by then goes on where it was, and will not ask again.
    const isFirst = !mounted.current;
    mounted.current = true;
    if (epoch.value > 0 && (!isFirst || isStreaming())) latest.current.load();
  });
}

/** Calls `work` every so often while somebody looks and the gateway answers. Milliseconds. */
export function useEvery(milliseconds: number, work: () => void): void {
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible' && line.peek() === 'live') latest.current();
    }, milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
}
