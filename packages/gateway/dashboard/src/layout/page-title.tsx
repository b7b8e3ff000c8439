import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { visits } from '../router.js';

interface PageTitleProps {
  /** For the window. */
  readonly title: string;
  /** The same for the page, unless it says more. */
  readonly children?: ComponentChildren;
}

/** The heading of a page. Who comes by a link begins here, as on a page that was loaded anew. */
export function PageTitle({ title, children }: PageTitleProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} – USMP gateway`;
  }, [title]);
  useEffect(() => {
    if (visits.peek() > 0) heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children ?? title}
    </h1>
  );
}
