/**
 * `usmp-gateway session`: who is connected.
 *
 * @module
 */

import type { Command } from 'commander';
import type { Page, SessionFacts } from './answers.js';
import { apiPath } from './api-client.js';
import { gatewayCommand, onGateway, type Work } from './gateway-options.js';
import { aboutDevice, DeviceNames } from './named-device.js';
import { addPageOptions, type PageFlags, readPages } from './pages.js';
import { oneLine, plural, relative } from './words.js';

interface SessionPage extends Page {
  readonly sessions: readonly SessionFacts[];
  readonly total: number;
}

export function addSession(program: Command): void {
  const session = program
    .command('session')
    .summary('see who is connected, end or measure a session')
    .description('Shows who is connected to a running gateway, ends sessions and measures them.');
  onGateway(addPageOptions(gatewayCommand(session, 'list', 'list open sessions')), 'running', list);

  const end = gatewayCommand(
    session,
    'end <device>',
    'end the session of a device, which may come back at once',
  );
  onGateway(end, 'running', async ({ api, out }: Work, device: string) => {
    await aboutDevice(api, device, () => api.delete(apiPath`/sessions/${device}`));
    out.answer({ ended: true }, () => `the session of ${device} is ended\n`);
  });

  const ping = gatewayCommand(session, 'ping <device>', 'measure the round trip to a device');
  onGateway(ping, 'running', async ({ api, out }: Work, device: string) => {
    const answer = await aboutDevice(api, device, () =>
      api.post<{ rtt: number }>(apiPath`/sessions/${device}/ping`),
    );
    out.answer(answer, () => `${device} has answered after ${answer.rtt.toFixed(1)} ms\n`);
  });
}

async function list({ api, out, flags }: Work<PageFlags>): Promise<void> {
  const page = await readPages<SessionPage>(api, '/sessions', 'sessions', flags);
  const names = new DeviceNames(() => api);
  if (!out.json) await names.load(page.sessions.map(({ device }) => device));
  const rows = await Promise.all(
    page.sessions.map(async (each) => [
      out.json ? each.device : await names.of(each.device),
      relative(each.since),
      `${each.transport} ${oneLine(each.peer)}`,
      each.rtt === null ? '-' : `${each.rtt.toFixed(1)} ms`,
      String(each.messagesIn),
      String(each.messagesOut),
      each.keyIndex === 0 ? '' : 'under the old key',
    ]),
  );
  const heads = ['DEVICE', 'SINCE', 'FROM', 'ROUND TRIP', 'IN', 'OUT', ''];
  out.answer(page, () => out.table(heads, rows, 'nobody is connected'));
  if (page.next !== null && !out.json)
    out.notice(`${rows.length} of ${plural(page.total, 'session')}: --all lists all`);
}
