/**
 * `usmp-gateway send`: a message to a device.
 *
 * @module
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { GatewayError } from '../errors.js';
import type { MessageFacts } from './answers.js';
import { type ApiClient, apiPath } from './api-client.js';
import { NoReplyError, UsageError } from './exit-codes.js';
import { gatewayCommand, type Work, withInput } from './gateway-options.js';
import { aboutDevice } from './named-device.js';
import { duration } from './option-values.js';
import type { Output } from './output.js';
import { readStdin } from './secret-file.js';

interface SendFlags {
  readonly base64?: string;
  readonly jsonBody?: string;
  readonly stdin?: true;
  /** Milliseconds. */
  readonly expiresIn?: number;
  readonly redeliver?: true;
  /** Milliseconds; true without a value. */
  readonly wait?: number | true;
}

type Body = { text: string } | { base64: string } | { json: unknown };

/** How long `--wait` waits. Milliseconds. */
const PATIENCE = 60_000;

/** Between two looks at a message, at first and at last. Milliseconds. */
const FIRST_LOOK = 20;
const LAST_LOOK = 1_000;

export function addSend(program: Command): void {
  const send = gatewayCommand(
    program,
    'send <device> [text]',
    'send a message to a device, now or when it comes',
  )
    .option('--base64 <bytes>', 'instead of text')
    .option('--json-body <json>', 'the same')
    .option('--stdin', 'what standard input holds is the message')
    .option('--expires-in <duration>', 'do not send it later than this, such as 10m', duration)
    .option('--redeliver', 'send it again if the session breaks before it is confirmed; it may arrive twice')
    .option('--wait [duration]', 'wait until the device has confirmed it (default: 1m)', duration);
  withInput(
    send,
    ({ wait }: SendFlags) => (wait === undefined ? 'stored' : 'running'),
    readBody,
    sendMessage,
  );
}

async function readBody(
  flags: SendFlags,
  _out: Output,
  _device: string,
  text: string | undefined,
): Promise<Body> {
  const { base64, jsonBody, stdin } = flags;
  const given = [text, base64, jsonBody, stdin].filter((value) => value !== undefined);
  if (given.length !== 1) throw new UsageError('give exactly one of TEXT, --base64, --json-body and --stdin');
  if (text !== undefined) return { text };
  if (base64 !== undefined) return { base64 };
  if (jsonBody !== undefined) return { json: parse(jsonBody) };
  const bytes = await readStdin();
  const decoded = bytes.toString('utf8');
  return Buffer.from(decoded).equals(bytes) ? { text: decoded } : { base64: bytes.toString('base64') };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new UsageError(`--json-body: ${(error as Error).message}`);
  }
}

async function sendMessage({ api, out, flags }: Work<SendFlags>, body: Body, device: string): Promise<void> {
  const { expiresIn, redeliver, wait } = flags;
  const request = { ...body, expiresIn: expiresIn && Math.max(1, expiresIn / 1_000), redeliver };
  const sent = await aboutDevice(api, device, () =>
    api.post<{ message: MessageFacts }>(apiPath`/devices/${device}/messages`, { body: request }),
  );
  if (wait === undefined) {
    out.answer(sent, () => `message ${sent.message.id} to ${device}: ${stateLine(sent.message, api)}\n`);
    return;
  }
  const message = await finalState(api, sent.message, wait === true ? PATIENCE : wait);
  out.answer({ message }, () => `message ${message.id} to ${device}: ${stateLine(message, api)}\n`);
}

function stateLine({ state, at, doneAt }: MessageFacts, { place }: ApiClient): string {
  switch (state) {
    case 'queued':
      return place === 'stopped'
        ? 'queued; it leaves when the gateway runs and the device is connected'
        : 'queued until the device is connected';
    case 'confirmed':
      return `confirmed after ${Date.parse(doneAt ?? at) - Date.parse(at)} ms`;
    default:
      return state;
  }
}

/**
 * Waits until nothing more happens to a message.
 *
 * @throws {NoReplyError} it was not confirmed in time; `GatewayError` `gone`: it never will be
 */
async function finalState(api: ApiClient, message: MessageFacts, patience: number): Promise<MessageFacts> {
  const until = Date.now() + patience;
  for (let now = message, wait = FIRST_LOOK; ; wait = Math.min(wait * 2, LAST_LOOK)) {
    if (now.state === 'confirmed') return now;
    if (now.state === 'expired' || now.state === 'refused')
      throw new GatewayError('gone', `message ${now.id} is ${now.state}: it was not sent`);
    if (Date.now() >= until)
      throw new NoReplyError(`message ${now.id} is ${now.state}, and not confirmed in time`);
    await delay(Math.min(wait, Math.max(1, until - Date.now())));
    now = await api.get<MessageFacts>(apiPath`/messages/${message.id}`);
  }
}
