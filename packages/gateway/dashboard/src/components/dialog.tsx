import type { ComponentChildren } from 'preact';
import { createPortal } from 'preact/compat';
import { useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks';
import { line } from '../state/connection.js';

interface DialogProps {
  readonly title: string;
  readonly close: () => void;
  /** Whether Escape and the button close it; not while it shows what is shown only once. */
  readonly stays?: boolean;
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}

/**
 * A dialog of the browser: it keeps the focus, and gives it back. It stands beside the page: when a login ends the page
 * cannot be used until there is a new one. Until then it makes room for the login, and comes back with what was typed; a
 * key that is shown only once must stay.
 */
export function Dialog({ title, close, stays = false, wide = false, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const isHidden = line.value === 'signed-out' && !stays;
  const opener = useRef(document.activeElement).current;
  // When it is out of the page: until then nothing else can have the focus.
  useEffect(
    () => () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    },
    [],
  );
  useLayoutEffect(() => {
    const dialog = element.current!;
    if (isHidden) {
      dialog.close();
      return;
    }
    dialog.showModal();
    // Not the button that closes it, which comes first.
    const first =
      dialog.querySelector<HTMLElement>('[data-first]') ??
      dialog.querySelector<HTMLElement>('form :is(input, textarea, select)');
    (first ?? dialog.querySelector<HTMLElement>('h2'))?.focus();
  }, [isHidden]);
  return createPortal(
    <dialog
      ref={element}
      class={wide ? 'wide' : ''}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        if (!stays) close();
      }}
      // A browser lets nothing hold up the second Escape.
      onClose={() => {
        if (stays) element.current?.showModal();
        else if (!isHidden) close();
      }}
    >
      <header>
        <h2 id={titleId} tabIndex={-1}>
          {title}
        </h2>
        {!stays && (
          <button type="button" class="quiet" aria-label="Close" onClick={close}>
            ×
          </button>
        )}
      </header>
      {children}
    </dialog>,
    document.body,
  );
}
