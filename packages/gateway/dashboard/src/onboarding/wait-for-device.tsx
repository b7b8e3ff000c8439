import { useState } from 'preact/hooks';
import { devicePath, get } from '../api/client.js';
import type { Device, GatewayEvent } from '../api/types.js';
import { reasonOf } from '../refused/reasons.js';
import { deviceLink } from '../router.js';
import { FLEET_SCOPE } from '../state/scope.js';
import { useEvery, useLive } from '../state/use-live.js';

interface Outcome {
  readonly kind: 'connected' | 'refused';
  readonly text: string;
}

/** How often it asks, should an event be missed. Milliseconds. */
const ASK_EVERY = 5_000;

/** Lights up when the device connects, or says why it was turned away. */
export function WaitForDevice({ device }: { readonly device: Device }) {
  const [outcome, setOutcome] = useState<Outcome>();
  const connected = (transport: string, peer: string) =>
    setOutcome({ kind: 'connected', text: `${device.name} is connected, over ${transport} from ${peer}.` });
  const ask = async () => {
    if (outcome?.kind === 'connected') return;
    const { session } = await get<Device>(devicePath(device.id));
    if (session !== null) connected(session.transport, session.peer);
  };
  const onEvent = ({ type, device: id, data }: GatewayEvent) => {
    if (id !== device.id) return;
    if (type === 'connected') connected(String(data.transport), String(data.peer));
    if (type === 'refused' && outcome?.kind !== 'connected') {
      const { title, remedy } = reasonOf(String(data.reason));
      setOutcome({ kind: 'refused', text: `It was here and was refused. ${title}: ${remedy}` });
    }
  };
  const askQuietly = () => ask().catch(() => {});
  useLive(FLEET_SCOPE, onEvent, askQuietly);
  useEvery(ASK_EVERY, askQuietly);
  return (
    <div class={`lamp ${outcome?.kind ?? 'waiting'}`} role="status" data-testid="device-lamp">
      <span class="light" aria-hidden="true" />
      <p>
        {outcome?.text ?? `Waiting for ${device.name} to connect …`}
        {outcome?.kind === 'connected' && (
          <>
            {' '}
            <a href={deviceLink(device.id)}>Talk to it</a>
          </>
        )}
      </p>
    </div>
  );
}
