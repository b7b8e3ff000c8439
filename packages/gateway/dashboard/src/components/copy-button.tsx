import { useState } from 'preact/hooks';
import { tell } from '../state/notices.js';

interface CopyProps {
  readonly text: string;
  /** What is copied: "the key". */
  readonly what: string;
}

const SHOWN_FOR = 2_000;

export function CopyButton({ text, what }: CopyProps) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    if (!(await toClipboard(text)))
      return tell('failed', `This browser does not copy: select ${what} and copy it.`);
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_FOR);
  };
  return (
    <button
      type="button"
      class="small"
      onClick={copy}
      aria-label={copied ? `Copied ${what}` : `Copy ${what}`}
    >
      {copied ? 'Copied' : 'Copy'}
    </button>
  );
}

async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS, on another machine, there is no clipboard but the old way.
    return copyFromField(text);
  }
}

function copyFromField(text: string): boolean {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'offscreen';
  // Within a dialog, which lets nothing outside of it have the focus.
  const place = document.querySelector('dialog[open]') ?? document.body;
  place.append(field);
  const before = document.activeElement;
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
