import { useState } from 'preact/hooks';
import { messageOf, remove } from '../api/client.js';
import type { Refused } from '../api/types.js';
import { Confirm } from '../components/confirm.js';
import { Needs } from '../components/needs.js';
import { Problem } from '../components/problem.js';
import { plural } from '../format.js';
import { PageTitle } from '../layout/page-title.js';
import { may } from '../state/connection.js';
import { loadRefusals, refusals, refusalsChanged } from '../state/refusals.js';
import { FLEET_SCOPE } from '../state/scope.js';
import { useEvery, useLive } from '../state/use-live.js';
import { AdmitDialog } from './admit-dialog.js';
import { RefusedEntry } from './refused-entry.js';

/** Repeats are counted without an event. Milliseconds. */
const EVERY = 5_000;

/** Who was turned away, why, and what to do about it. */
export function RefusedPage() {
  const [problem, setProblem] = useState<string>();
  const [admitting, setAdmitting] = useState<Refused>();
  const [forgetting, setForgetting] = useState(false);
  const load = () => {
    loadRefusals().then(
      () => setProblem(undefined),
      (error) => setProblem(messageOf(error)),
    );
  };
  useLive(FLEET_SCOPE, ({ type }) => type === 'refused' && refusalsChanged(), load);
  useEvery(EVERY, load);
  const page = refusals.value;
  return (
    <>
      <div class="page-head">
        <PageTitle title="Refused" />
        {may('admin') && page !== undefined && page.total > 0 && (
          <button type="button" onClick={() => setForgetting(true)}>
            Forget all
          </button>
        )}
      </div>
      <p class="lead">
        Whoever tried to connect and was turned away. The same device, address and reason stand in one line.
      </p>
      <Needs least="admin" to="admit, enable or forget">
        {null}
      </Needs>
      <Problem text={problem} retry={load} />
      {page?.total === 0 && <p class="empty">Nobody was refused.</p>}
      <ul class="refused">
        {page?.refused.map((entry) => (
          <RefusedEntry key={entry.id} entry={entry} admit={() => setAdmitting(entry)} changed={load} />
        ))}
      </ul>
      {page !== undefined && page.total > page.refused.length && (
        <p class="muted">
          The latest {page.refused.length} of {plural(page.total, 'line')}.
        </p>
      )}
      {admitting !== undefined && (
        <AdmitDialog
          entry={admitting}
          close={() => {
            setAdmitting(undefined);
            load();
          }}
        />
      )}
      {forgetting && (
        <Confirm
          title="Forget all refused"
          action="Forget all"
          work={() => remove('api/v1/refused')}
          done="The list is empty."
          close={() => {
            setForgetting(false);
            load();
          }}
        >
          <p>The list becomes empty. Whoever is refused again comes back into it.</p>
        </Confirm>
      )}
    </>
  );
}
