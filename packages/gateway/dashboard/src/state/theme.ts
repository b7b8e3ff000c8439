/**
 * Light, dark, or as the system has it.
 *
 * @module
 */

import { effect, signal } from '@preact/signals';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const NAME = 'usmp-theme';

export const theme = signal<Theme>('system');

export function startTheme(): void {
  const stored = read();
  if (stored !== undefined) theme.value = stored;
  effect(() => {
    const { value } = theme;
    if (value === 'system') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.dataset.theme = value;
    write(value);
  });
}

// Without storage, as some private windows are, the choice lasts as long as the page.
function read(): Theme | undefined {
  try {
    return THEMES.find((name) => name === localStorage.getItem(NAME));
  } catch {
    return undefined;
  }
}

function write(value: Theme): void {
  try {
    localStorage.setItem(NAME, value);
  } catch {}
}
