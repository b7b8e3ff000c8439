import { useState } from 'preact/hooks';
import { get, messageOf } from '../api/client.js';
import type { ConfigOption } from '../api/types.js';
import { Problem } from '../components/problem.js';
import { FLEET_SCOPE } from '../state/scope.js';
import { useLive } from '../state/use-live.js';

/** The configuration as it is, and how to change it. */
export function Limits() {
  const [options, setOptions] = useState<readonly ConfigOption[]>();
  const [problem, setProblem] = useState<string>();
  const load = () => {
    get<{ options: ConfigOption[] }>('api/v1/config').then(
      (answer) => setOptions(answer.options),
      (error) => setProblem(messageOf(error)),
    );
  };
  useLive(FLEET_SCOPE, () => {}, load);
  return (
    <>
      <p>
        As configured. To change one, write it into the file of <code>usmp-gateway start --config</code>, or
        give its flag or variable. With SIGHUP the gateway reads what is marked “live” again, without ending a
        session; the rest waits for its next start. <code>usmp-gateway config init</code> writes a file with
        all of them.
      </p>
      <Problem text={problem} retry={load} />
      <table class="list options">
        <caption class="offscreen">Options</caption>
        <thead>
          <tr>
            <th scope="col">Option</th>
            <th scope="col">Value</th>
            <th scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody>
          {options?.map(({ name, value, description, live, flag, variable }) => (
            <tr key={name}>
              <td>
                <code>{name}</code>
                {live && <span class="tag">live</span>}
              </td>
              <td>
                <code class="break">{value}</code>
              </td>
              <td>
                {description}
                <span class="muted mono names">
                  {flag} {variable}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
