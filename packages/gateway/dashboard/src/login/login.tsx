import { useEffect, useRef, useState } from 'preact/hooks';
import { post } from '../api/client.js';
import { CopyButton } from '../components/copy-button.js';
import { Field } from '../components/field.js';
import { Problem } from '../components/problem.js';
import { useForm } from '../components/use-form.js';
import { cameByVoidLink } from '../router.js';
import { check, LOGGED_OUT, signedOutReason, status } from '../state/connection.js';

const COMMAND = 'usmp-gateway login-link';

/** By a link from the machine of the gateway, or by a token. Another window may do it: this one notices. */
export function Login() {
  const heading = useRef<HTMLHeadingElement>(null);
  const [token, setToken] = useState('');
  const form = useForm(['token']);
  useEffect(() => {
    document.title = 'Log in – USMP gateway';
    heading.current?.focus();
  }, []);
  const logIn = form.submit(async () => {
    await post('login', { token: token.trim() });
    setToken('');
    check();
  });
  return (
    <section class="login" aria-labelledby="login-title">
      <h1 id="login-title" ref={heading} tabIndex={-1}>
        Log in
      </h1>
      {cameByVoidLink.value && (
        <p class="banner bad">
          This link was used before, or is older than ten minutes. Get a new one as below.
        </p>
      )}
      {status.value !== undefined && signedOutReason.value !== '' && (
        <p class="banner warn">{signedOutReason.value} This page goes on where it was.</p>
      )}
      {status.value === undefined && signedOutReason.value === LOGGED_OUT && (
        <p class="banner warn">{LOGGED_OUT}</p>
      )}
      <div class="ways">
        <div class="panel">
          <h2>With a link</h2>
          <p>
            On the machine of the gateway, run this and open the link that it prints. It works once, within
            ten minutes.
          </p>
          <p class="code-line">
            <code>{COMMAND}</code> <CopyButton text={COMMAND} what="the command" />
          </p>
        </div>
        <form class="panel" onSubmit={logIn}>
          <h2>With a token</h2>
          <Field
            label="Token"
            type="password"
            required
            mono
            value={token}
            change={setToken}
            problem={form.problem('token')}
            hint={
              <>
                Begins with <code>usmp_</code>. It is sent once and not kept in this browser. New ones:{' '}
                <code>usmp-gateway token add --name me --role admin</code>
              </>
            }
          />
          <Problem text={form.problem('')} />
          <button type="submit" class="primary" disabled={form.busy || token.trim() === ''}>
            Log in
          </button>
        </form>
      </div>
    </section>
  );
}
