/** What is run in pages: text, as the compiler knows no document here. */

/** Names of all that can be clicked or typed into, and can be seen. */
export const CONTROLS = `(() => {
  const nameOf = (e) => e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent;
  return [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
    .filter((e) => e.checkVisibility() && !e.matches('.skip'))
    .map((e) => nameOf(e).replace(/[\\s↑↓]+/g, ' ').trim());
})()`;

/** What reaches beyond the window to its sides, other than in what scrolls, or ends long text in an ellipsis. */
export const TOO_WIDE = `(() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (e) => {
    if (e === null) return false;
    const { overflowX, textOverflow } = getComputedStyle(e);
    return overflowX === 'auto' || overflowX === 'scroll' || textOverflow === 'ellipsis' || scrolls(e.parentElement);
  };
  const found = [...document.querySelectorAll('body *')]
    .map((e) => [e, e.getBoundingClientRect()])
    .filter(([, { left, right }]) => left < -1 || right > width + 1)
    .filter(([e]) => e.checkVisibility() && !e.closest('.skip, .offscreen, svg') && !scrolls(e.parentElement))
    .map(([e, { left, right }]) => e.tagName + '.' + e.className + ' from ' + Math.round(left) + ' to ' + Math.round(right));
  const { scrollWidth } = document.documentElement;
  return scrollWidth > width ? ['the page is ' + scrollWidth + ' wide', ...found] : found;
})()`;

/** Follows a link to an address of the dashboard, without loading it anew. */
export const follow = (path: string) =>
  `history.pushState(null, '', ${JSON.stringify(`/${path}`)}); dispatchEvent(new PopStateEvent('popstate'))`;

/** From now on no stream of events opens: each breaks off at once. */
export const NO_STREAMS = `window.EventSource = class extends EventTarget {
  constructor() {
    super();
    queueMicrotask(() => this.onerror?.());
  }
  close() {}
}`;

/** The name of what has the focus. */
export const FOCUSED = `(() => {
  const e = document.activeElement;
  const name = e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent;
  return name.replace(/\\s+/g, ' ').trim();
})()`;

/** Whether the message that was written has been taken. */
export const FIELD_IS_EMPTY = `document.querySelector('form.send textarea').value === ''`;
