import { Since } from '../components/time.js';
import { awayReason, awaySince, check, line, status } from '../state/connection.js';

/** What stands between this page and the gateway doing its work. */
export function Banner() {
  if (line.value === 'away') return <Away />;
  const { ready = true, reasons = [] } = status.value ?? {};
  if (ready) return null;
  return (
    <div class="banner bad" role="alert">
      <p>
        <strong>The gateway is not ready:</strong> {reasons.join('; ')}.
      </p>
    </div>
  );
}

function Away() {
  const isKnown = status.value !== undefined;
  return (
    <div class="banner bad" role="alert">
      <p>
        <strong>The gateway is away</strong>
        {awaySince.value !== undefined && (
          <>
            {' '}
            (<Since at={new Date(awaySince.value).toISOString()} />)
          </>
        )}
        . {awayReason.value}
        {isKnown && ' What you see is as it was before.'}
      </p>
      <button type="button" onClick={check}>
        Try now
      </button>
    </div>
  );
}
