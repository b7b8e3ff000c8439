import { useState } from 'preact/hooks';
import { post } from '../api/client.js';
import type { Role, Token } from '../api/types.js';
import { CopyButton } from '../components/copy-button.js';
import { Dialog } from '../components/dialog.js';
import { Field } from '../components/field.js';
import { Problem } from '../components/problem.js';
import { useForm } from '../components/use-form.js';
import { RoleChoice } from './role-choice.js';

interface CreatedToken {
  readonly token: Token;
  readonly secret: string;
}

/** Makes a token, and shows its secret once. */
export function TokenDialog({ close }: { readonly close: () => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('read');
  const [until, setUntil] = useState('');
  const [created, setCreated] = useState<CreatedToken>();
  const form = useForm(['name', 'expiresAt']);
  const create = form.submit(async () => {
    const expiresAt = until === '' ? {} : { expiresAt: new Date(until).toISOString() };
    setCreated(await post<CreatedToken>('api/v1/tokens', { name: name.trim(), role, ...expiresAt }));
  });
  if (created !== undefined)
    return (
      <Dialog title={`Token ${created.token.name}`} close={close} stays>
        <p class="banner warn">
          The token is shown only now. Keep it where its program finds it and nobody else does.
        </p>
        <div class="key">
          <output class="mono" aria-label="Token" data-testid="token-secret">
            {created.secret}
          </output>
          <CopyButton text={created.secret} what="the token" />
        </div>
        <footer>
          <button type="button" class="primary" data-first onClick={close}>
            I have it
          </button>
        </footer>
      </Dialog>
    );
  return (
    <Dialog title="Add a token" close={close}>
      <form onSubmit={create}>
        <Field
          label="Name"
          value={name}
          change={setName}
          required
          maxLength={64}
          problem={form.problem('name')}
          hint="Which program or person it is for."
        />
        <RoleChoice value={role} change={setRole} />
        <Field
          label="Ends at"
          value={until}
          change={setUntil}
          type="datetime-local"
          problem={form.problem('expiresAt')}
          hint="Empty: it is valid until it is removed."
        />
        <Problem text={form.problem('')} />
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={form.busy}>
            Add token
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
