import type { ComponentChildren } from 'preact';
import type { Role } from '../api/types.js';
import { may, role } from '../state/connection.js';

interface NeedsProps {
  readonly least: Role;
  /** What the role is needed for: "change devices". */
  readonly to: string;
  readonly children: ComponentChildren;
}

/** What a role may do; for others the reason why it is not there. */
export function Needs({ least, to, children }: NeedsProps) {
  if (may(least)) return <>{children}</>;
  if (role.value === undefined) return null;
  return (
    <p class="muted">
      To {to} takes a login of role {least}; this one has the role {role.value}.
    </p>
  );
}
