import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { messageOf } from '../api/client.js';
import { tell } from '../state/notices.js';
import { Dialog } from './dialog.js';
import { Problem } from './problem.js';

interface ConfirmProps {
  readonly title: string;
  /** What the button says, such as "Remove lamp". */
  readonly action: string;
  readonly danger?: boolean;
  readonly work: () => Promise<unknown>;
  readonly done: string;
  readonly close: (isDone: boolean) => void;
  readonly children: ComponentChildren;
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, action, danger = false, work, done, close, children }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const go = async () => {
    setBusy(true);
    try {
      await work();
      tell('done', done);
      close(true);
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} close={() => close(false)}>
      <div class="text">
        {children}
        <Problem text={problem} />
      </div>
      <footer>
        <button type="button" data-first onClick={() => close(false)}>
          Cancel
        </button>
        <button type="button" class={danger ? 'danger' : 'primary'} disabled={busy} onClick={go}>
          {action}
        </button>
      </footer>
    </Dialog>
  );
}
