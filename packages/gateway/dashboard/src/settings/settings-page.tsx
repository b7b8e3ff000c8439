import { Facts } from '../components/facts.js';
import { Needs } from '../components/needs.js';
import { Since } from '../components/time.js';
import { PageTitle } from '../layout/page-title.js';
import { to } from '../router.js';
import { status } from '../state/connection.js';
import { Limits } from './limits.js';
import { LoginLinks } from './login-links.js';
import { Tokens } from './tokens.js';

/** Who gets in, and how the gateway is set up. */
export function SettingsPage() {
  const { version, startedAt, urls, caller } = status.value!;
  return (
    <>
      <PageTitle title="Settings" />
      <section class="panel" aria-labelledby="gateway-title">
        <h2 id="gateway-title">Gateway</h2>
        <Facts
          facts={[
            ['Release', version],
            ['Running for', <Since key="started" at={startedAt} />],
            ['Devices connect to', urls.map((url) => <code key={url}>{url} </code>)],
            ['This login', `${caller.name}, role ${caller.role}`],
            [
              'API',
              <a key="api" href={to('api/v1/openapi.json')} target="_blank" rel="noreferrer">
                OpenAPI document
              </a>,
            ],
          ]}
        />
      </section>
      <section class="panel" aria-labelledby="tokens-title">
        <h2 id="tokens-title">Tokens</h2>
        <Needs least="admin" to="see and make tokens">
          <Tokens />
        </Needs>
      </section>
      <section class="panel" aria-labelledby="links-title">
        <h2 id="links-title">Login links</h2>
        <Needs least="admin" to="make login links">
          <LoginLinks />
        </Needs>
      </section>
      <section class="panel" aria-labelledby="limits-title">
        <h2 id="limits-title">Retention and limits</h2>
        <Needs least="admin" to="see the configuration">
          <Limits />
        </Needs>
      </section>
    </>
  );
}
