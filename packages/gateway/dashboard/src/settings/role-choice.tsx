import { useId } from 'preact/hooks';
import type { Role } from '../api/types.js';

const ROLES: readonly (readonly [Role, string])[] = [
  ['read', 'looks'],
  ['send', 'looks, and sends messages'],
  ['admin', 'does everything'],
];

interface RoleChoiceProps {
  readonly value: Role;
  readonly change: (role: Role) => void;
}

export function RoleChoice({ value, change }: RoleChoiceProps) {
  const name = useId();
  return (
    <fieldset class="choice rows">
      <legend>Role</legend>
      {ROLES.map(([role, meaning]) => (
        <label key={role}>
          <input type="radio" name={name} checked={role === value} onChange={() => change(role)} />
          {role} <span class="muted">{meaning}</span>
        </label>
      ))}
    </fieldset>
  );
}
