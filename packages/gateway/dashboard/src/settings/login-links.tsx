import { useState } from 'preact/hooks';
import { post } from '../api/client.js';
import type { Role } from '../api/types.js';
import { CopyButton } from '../components/copy-button.js';
import { attempt } from '../state/notices.js';
import { RoleChoice } from './role-choice.js';

/** A link that lets another browser in. */
export function LoginLinks() {
  const [role, setRole] = useState<Role>('read');
  const [url, setUrl] = useState<string>();
  const make = async () => {
    const made = await attempt(() => post<{ url: string }>('api/v1/login-links', { role }));
    setUrl(made?.result.url);
  };
  return (
    <>
      <p>
        For another browser or person. A link works once, within ten minutes; the login lasts a week at most.
      </p>
      <RoleChoice
        value={role}
        change={(value) => {
          setRole(value);
          setUrl(undefined);
        }}
      />
      <p class="actions">
        <button type="button" onClick={make}>
          Make a link
        </button>
      </p>
      {url !== undefined && (
        <div class="key" role="status">
          <output class="mono break">{url}</output>
          <CopyButton text={url} what="the link" />
        </div>
      )}
    </>
  );
}
