import { useEffect, useRef, useState } from 'preact/hooks';
import { devicePath, get, messageOf } from '../api/client.js';
import type { Device, MessagePage } from '../api/types.js';
import { Problem } from '../components/problem.js';
import { bytes, dateTime } from '../format.js';
import { query, setQuery } from '../router.js';
import { HistoryFilters } from './history-filters.js';
import { MessageBody, viewOf } from './message-body.js';
import { MessageState } from './message-state.js';

const PAGE = 50;

/** Stored messages, page by page; the URL says which. */
export function History({ device }: { readonly device: Device }) {
  const [page, setPage] = useState<MessagePage>();
  const [problem, setProblem] = useState<string>();
  const values = query.value;
  const key = ['before', 'direction', 'outcome', 'find'].map((name) => values.get(name) ?? '').join('\n');
  /** Of requests under way only the answer to the last one counts. */
  const asked = useRef(0);
  const load = () => {
    const ask = ++asked.current;
    const [before, direction, state, search] = key.split('\n');
    setProblem(undefined);
    get<MessagePage>(devicePath(device.id, '/messages'), {
      before,
      direction,
      state,
      search,
      limit: PAGE,
    }).then(
      (answer) => ask === asked.current && setPage(answer),
      (error) => ask === asked.current && setProblem(messageOf(error)),
    );
  };
  // All that it reads is in the key.
  useEffect(load, [device.id, key]);
  const view = viewOf(values.get('show'));
  const isFirst = !values.has('before');
  return (
    <section aria-label="History" class="history">
      <HistoryFilters />
      <Problem text={problem} retry={load} />
      {page !== undefined && page.messages.length === 0 && (
        <p class="empty">
          {page.next === null ? 'No stored message is like that.' : 'None on this page: look further back.'}
        </p>
      )}
      <table class="list">
        <caption class="offscreen">Stored messages of {device.name}, the newest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Direction</th>
            <th scope="col">Message</th>
            <th scope="col">Size</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {page?.messages.map((message) => (
            <tr key={message.id}>
              <td class="when">{dateTime(Date.parse(message.at))}</td>
              <td class="when">{message.direction === 'in' ? '← from it' : '→ to it'}</td>
              <td class="message">
                <MessageBody message={message} view={view} />
              </td>
              <td class="number">{bytes(message.size)}</td>
              <td>
                <MessageState message={message} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <nav class="pages" aria-label="Pages of the history">
        <button type="button" disabled={isFirst} onClick={() => setQuery({ before: '' }, true)}>
          Newest
        </button>
        <button
          type="button"
          disabled={page === undefined || page.next === null}
          onClick={() => setQuery({ before: String(page!.next) }, true)}
        >
          Older
        </button>
        <button type="button" onClick={load}>
          Read again
        </button>
      </nav>
    </section>
  );
}
