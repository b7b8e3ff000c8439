import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { count } from '../format.js';
import { path, to } from '../router.js';
import { line, logout, status } from '../state/connection.js';
import { attempt } from '../state/notices.js';
import { loadRefusals, refusals } from '../state/refusals.js';
import { LineState } from './line-state.js';
import { ThemeSwitch } from './theme-switch.js';

/** Name, places to go, and the line to the gateway. */
export function Header() {
  const isIn = line.value !== 'signed-out' && status.value !== undefined;
  const refused = status.value?.refusedEntries ?? 0;
  useEffect(() => {
    // Nothing of it stays for who logs in next.
    if (status.peek() === undefined) refusals.value = undefined;
    // Not all that changes it is told by an event, and not all pages listen.
    else if (isIn && refusals.peek()?.total !== refused) loadRefusals().catch(() => {});
  }, [isIn, refused]);
  return (
    <header class="top">
      <a class="brand" href={to('')}>
        USMP gateway
      </a>
      {isIn && (
        <nav aria-label="Main">
          <NavLink to="" also={['devices', 'add']}>
            Fleet
          </NavLink>
          <NavLink to="refused">
            Refused
            {refused > 0 && <span class="count">{count(refused)}</span>}
          </NavLink>
          <NavLink to="events">Events</NavLink>
          <NavLink to="settings">Settings</NavLink>
        </nav>
      )}
      <div class="tools">
        <LineState />
        <ThemeSwitch />
        {isIn && (
          <button type="button" class="quiet" onClick={() => attempt(logout)}>
            Log out
          </button>
        )}
      </div>
    </header>
  );
}

interface NavLinkProps {
  readonly to: string;
  /** First parts of paths that belong to it. */
  readonly also?: readonly string[];
  readonly children: ComponentChildren;
}

function NavLink({ to: place, also = [], children }: NavLinkProps) {
  const first = path.value.split('/', 1)[0]!;
  const current = path.value === place ? 'page' : also.includes(first) ? 'true' : undefined;
  return (
    <a href={to(place)} aria-current={current}>
      {children}
    </a>
  );
}
