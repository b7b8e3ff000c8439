import type { ComponentChildren } from 'preact';

export type Tone = 'good' | 'bad' | 'warn' | 'idle';

/** Told apart by shape as well as by color. */
const SHAPES: Readonly<Record<Tone, string>> = { good: '●', bad: '▲', warn: '◆', idle: '○' };

export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return (
    <span class={`badge ${tone}`}>
      <span aria-hidden="true">{SHAPES[tone]}</span> {children}
    </span>
  );
}
