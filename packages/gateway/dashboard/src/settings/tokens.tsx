import { useState } from 'preact/hooks';
import { get, messageOf, remove } from '../api/client.js';
import type { Token } from '../api/types.js';
import { Confirm } from '../components/confirm.js';
import { Problem } from '../components/problem.js';
import { Ago } from '../components/time.js';
import { dateTime } from '../format.js';
import { FLEET_SCOPE } from '../state/scope.js';
import { useLive } from '../state/use-live.js';
import { TokenDialog } from './token-dialog.js';

/** Tokens for programs: what there is, a new one, the end of one. */
export function Tokens() {
  const [tokens, setTokens] = useState<readonly Token[]>();
  const [problem, setProblem] = useState<string>();
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Token>();
  const load = () => {
    get<{ tokens: Token[] }>('api/v1/tokens').then(
      (answer) => {
        setTokens(answer.tokens);
        setProblem(undefined);
      },
      (error) => setProblem(messageOf(error)),
    );
  };
  useLive(FLEET_SCOPE, () => {}, load);
  return (
    <>
      <p>For programs that use the API, and to log in to this page.</p>
      <Problem text={problem} retry={load} />
      {tokens?.length === 0 && <p class="empty">There is no token.</p>}
      {tokens !== undefined && tokens.length > 0 && (
        <table class="list">
          <caption class="offscreen">Tokens</caption>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Role</th>
              <th scope="col">Made</th>
              <th scope="col">Last used</th>
              <th scope="col">Ends</th>
              <th scope="col">
                <span class="offscreen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {tokens.map((token) => (
              <tr key={token.id}>
                <td>{token.name}</td>
                <td>{token.role}</td>
                <td data-label="made">
                  <Ago at={token.createdAt} />
                </td>
                <td data-label="used">{token.usedAt === null ? 'never' : <Ago at={token.usedAt} />}</td>
                <td data-label="ends">
                  {token.expiresAt === null ? 'never' : dateTime(Date.parse(token.expiresAt))}
                </td>
                <td>
                  <button
                    type="button"
                    class="small danger"
                    aria-label={`Remove token ${token.name}`}
                    onClick={() => setRemoving(token)}
                  >
                    Remove
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="actions">
        <button type="button" onClick={() => setAdding(true)}>
          Add token
        </button>
      </p>
      {adding && (
        <TokenDialog
          close={() => {
            setAdding(false);
            load();
          }}
        />
      )}
      {removing !== undefined && (
        <Confirm
          title={`Remove the token ${removing.name}`}
          action="Remove token"
          danger
          work={() => remove(`api/v1/tokens/${removing.id}`)}
          done={`The token ${removing.name} is removed.`}
          close={() => {
            setRemoving(undefined);
            load();
          }}
        >
          <p>Programs and browsers that use it are shut out at once.</p>
        </Confirm>
      )}
    </>
  );
}
