import { useState } from 'preact/hooks';
import { devicePath, get, post, remove } from '../api/client.js';
import type { Device, Session } from '../api/types.js';
import { Confirm } from '../components/confirm.js';
import { Facts } from '../components/facts.js';
import { Ago, Since } from '../components/time.js';
import { bytes, count, roundTrip } from '../format.js';
import { reasonOf } from '../refused/reasons.js';
import { to } from '../router.js';
import { may } from '../state/connection.js';
import { attempt } from '../state/notices.js';
import { refusalSince } from '../state/refusals.js';

interface SessionPanelProps {
  readonly device: Device;
  readonly changed: (device: Device) => void;
}

/** The session that is open now, or when there was one. */
export function SessionPanel({ device, changed }: SessionPanelProps) {
  return (
    <section class="panel" aria-labelledby="session-title">
      <h2 id="session-title">Session</h2>
      {device.session === null ? (
        <Offline device={device} />
      ) : (
        <Online {...{ device, changed, session: device.session }} />
      )}
    </section>
  );
}

function Offline({ device }: { readonly device: Device }) {
  const refusal = refusalSince(device);
  return (
    <>
      <p>
        {device.lastSeenAt === null ? (
          'It was never connected.'
        ) : (
          <>
            Not connected. Last heard of <Ago at={device.lastSeenAt} />, over {device.lastTransport} from{' '}
            {device.lastAddress}.
          </>
        )}
      </p>
      {refusal !== undefined && (
        <p class="banner bad">
          Refused <Ago at={refusal.lastAt} />: {reasonOf(refusal.reason).title}.{' '}
          {reasonOf(refusal.reason).remedy} <a href={to('refused')}>See it</a>
        </p>
      )}
    </>
  );
}

function Online({ device, session, changed }: SessionPanelProps & { readonly session: Session }) {
  const [ends, setEnds] = useState(false);
  const [measuring, setMeasuring] = useState(false);
  const measure = async () => {
    setMeasuring(true);
    await attempt(
      () => post<{ rtt: number }>(`api/v1/sessions/${encodeURIComponent(device.id)}/ping`),
      ({ rtt }) => `Round trip to ${device.name}: ${roundTrip(rtt)}`,
    );
    setMeasuring(false);
    const again = await attempt(() => get<Device>(devicePath(device.id)));
    if (again !== undefined) changed(again.result);
  };
  return (
    <>
      <Facts
        facts={[
          ['Connected', <Since key="since" at={session.since} />],
          ['Transport', session.transport],
          ['Address', <code key="peer">{session.peer}</code>],
          device.keys.length > 1 && ['Key', hasNewKey(device, session) ? 'the new one' : 'the old one'],
          ['Round trip', roundTrip(session.rtt)],
          ['Messages', `${count(session.messagesIn)} in, ${count(session.messagesOut)} out`],
          ['Data', `${bytes(session.bytesIn)} in, ${bytes(session.bytesOut)} out`],
          ['Not confirmed', count(session.unconfirmed)],
          ['Retransmissions', count(session.framesRetransmitted)],
          [
            'Session id',
            <code key="id" class="break">
              {session.id}
            </code>,
          ],
        ]}
      />
      <p class="actions">
        {may('send') && (
          <button type="button" class="small" disabled={measuring} onClick={measure}>
            Measure round trip
          </button>
        )}
        {may('admin') && (
          <button type="button" class="small" onClick={() => setEnds(true)}>
            End session
          </button>
        )}
      </p>
      {ends && (
        <Confirm
          title={`End the session of ${device.name}`}
          action="End session"
          work={() => remove(`api/v1/sessions/${encodeURIComponent(device.id)}`)}
          done="The session is ending."
          close={() => setEnds(false)}
        >
          <p>The device may connect again at once. To keep it out, disable it or revoke its key.</p>
        </Confirm>
      )}
    </>
  );
}

/** A session from before the rotation goes on with the key that is the old one now. */
function hasNewKey({ keys }: Device, { keyIndex, since }: Session): boolean {
  return keyIndex === 0 && since >= keys[0]!.createdAt;
}
