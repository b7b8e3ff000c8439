import { memo } from 'preact/compat';
import type { GatewayEvent } from '../api/types.js';
import { Badge } from '../components/state-badge.js';
import { dateTime } from '../format.js';
import { deviceLink } from '../router.js';
import { EVENT_NAMES, tellEvent } from './event-text.js';

export function EventTable({ events }: { readonly events: readonly GatewayEvent[] }) {
  return (
    <table class="list events">
      <caption class="offscreen">Events, the latest first</caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Event</th>
          <th scope="col">Device</th>
          <th scope="col">What</th>
        </tr>
      </thead>
      <tbody>
        {events.map((event) => (
          <EventRow key={event.id} event={event} />
        ))}
      </tbody>
    </table>
  );
}

const EventRow = memo(function EventRow({ event }: { readonly event: GatewayEvent }) {
  const [name, tone] = EVENT_NAMES[event.type];
  return (
    <tr>
      <td class="when">{dateTime(Date.parse(event.at))}</td>
      <td>
        <Badge tone={tone}>{name}</Badge>
      </td>
      <td>
        {event.device !== null && (
          <a class="mono" href={deviceLink(event.device)}>
            {event.device}
          </a>
        )}
      </td>
      <td class="message">{tellEvent(event)}</td>
    </tr>
  );
});
