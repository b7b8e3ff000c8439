/**
 * `usmp-gateway status` and `login-link`: how the gateway is, and how a browser gets in.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { ROLES } from '../model.js';
import type { StatusFacts } from './answers.js';
import type { ApiClient } from './api-client.js';
import { EXIT } from './exit-codes.js';
import { gatewayCommand, onGateway, type Work } from './gateway-options.js';
import { plural, relativeAndExact } from './words.js';

export function addStatus(program: Command): void {
  const status = gatewayCommand(
    program,
    'status',
    'tell how the gateway is; exit code 4 when it is stopped, 1 when it does not do its work',
  );
  onGateway(status, 'stored', async ({ api, out }: Work) => {
    const answer = await api.get<StatusFacts>('/status');
    out.answer(answer, () =>
      out.facts(api.place === 'stopped' ? whenStopped(answer, api) : factsOf(answer, api)),
    );
    if (api.place === 'stopped') process.exitCode = EXIT.unreachable;
    else if (!answer.ready) process.exitCode = EXIT.failed;
  });
}

export function addLoginLink(program: Command): void {
  const link = gatewayCommand(
    program,
    'login-link',
    'print a link that logs a browser in, once, within ten minutes',
  ).addOption(new Option('--role <role>', 'what the browser may do (default: admin)').choices(ROLES));
  onGateway(link, 'running', async ({ api, out, flags }: Work<{ readonly role?: string }>) => {
    const answer = await api.post<{ url: string }>('/login-links', { body: { role: flags.role } });
    out.answer(answer, () => `${answer.url}\n`);
    if (!out.json) out.notice('it works once, within ten minutes');
  });
}

function whenStopped({ version, devices }: StatusFacts, { name }: ApiClient): [string, string][] {
  return [
    ['gateway', `${name} is stopped`],
    ['release', version],
    ['devices', plural(devices.registered, 'device')],
  ];
}

function factsOf(status: StatusFacts, { name }: ApiClient): [string, string | undefined][] {
  const { devices, sessions, messages, refused, ready, reasons } = status;
  const turnedAway = Object.entries(refused).map(([reason, count]) => `${reason} ${count}`);
  return [
    ['gateway', `${name} is ${ready ? 'ready' : 'not ready'}`],
    ['because', reasons.length === 0 ? undefined : reasons.join('\n')],
    ['release', status.version],
    ['since', relativeAndExact(status.startedAt)],
    [
      'devices',
      `${devices.registered.toLocaleString('en')} registered, ${devices.online.toLocaleString('en')} online`,
    ],
    ['listens', status.urls.join('\n')],
    [
      'sessions',
      `${sessions.open} open, ${sessions.halfOpen} opening, ${sessions.accepted} accepted since the start`,
    ],
    [
      'messages',
      `${messages.in} in (${plural(messages.bytesIn, 'byte')}), ${messages.out} out (${plural(messages.bytesOut, 'byte')}) since the start`,
    ],
    ['refused', turnedAway.length === 0 ? undefined : turnedAway.join(', ')],
  ];
}
