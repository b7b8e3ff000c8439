/**
 * The URL says what is shown: path and query, as signals.
 *
 * @module
 */

import { computed, signal } from '@preact/signals';
import { BASE } from './base.js';

interface Place {
  /** Below the gateway, without a slash at its beginning: `devices/02:…`. */
  readonly path: string;
  readonly query: string;
}

const place = signal<Place>(current());

export const path = computed(() => place.value.path);
export const query = computed(() => new URLSearchParams(place.value.query));

/** Whether somebody came by a login link that did not work. */
export const cameByVoidLink = signal(false);

/** How often a link was followed: the page then moves the focus. */
export const visits = signal(0);

/** For `href`. */
export function to(where: string): string {
  return BASE + where;
}

export function deviceLink(id: string, view?: string): string {
  return to(
    `devices/${encodeURIComponent(id).replaceAll('%3A', ':')}${view === undefined ? '' : `?view=${view}`}`,
  );
}

export function navigate(href: string): void {
  history.pushState(null, '', href);
  arrive(true);
  // Back and forward leave that to the browser, which knows where it was.
  if (!location.hash) scrollTo(0, 0);
}

/** Another address of the same page; the back button does not know the old one. */
export function readdress(href: string): void {
  history.replaceState(null, '', href);
  arrive(false);
}

/** Changes parts of the query; what is undefined or empty goes. With `push` the back button undoes it. */
export function setQuery(changes: Readonly<Record<string, string | undefined>>, push = false): void {
  const next = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  const href = location.pathname + (text === '' ? '' : `?${text}`);
  if (!push) return readdress(href);
  history.pushState(null, '', href);
  arrive(false);
}

/** Takes over links within the page, and the back button. */
export function startRouter(): void {
  if (path.value === 'login') {
    // A void ticket has no place in the address.
    cameByVoidLink.value = true;
    readdress(to(''));
  }
  addEventListener('popstate', () => arrive(true));
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest?.('a[href]') as HTMLAnchorElement | null;
    if (link === null || event.defaultPrevented || event.button !== 0) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (!link.pathname.startsWith(BASE) || link.getAttribute('href')!.startsWith('#')) return;
    event.preventDefault();
    if (link.href !== location.href) navigate(link.href);
  });
}

function arrive(isVisit: boolean): void {
  const before = place.value;
  const next = current();
  if (next.path !== before.path || next.query !== before.query) place.value = next;
  if (isVisit && next.path !== before.path) visits.value++;
}

function current(): Place {
  if (typeof location === 'undefined') return { path: '', query: '' };
  return { path: location.pathname.slice(BASE.length), query: location.search };
}
