/**
 * Requests and answers of the API. The checks at run time, the types and the OpenAPI document all come from here.
 *
 * @module
 */

import { z } from 'zod';
import { EVENT_TYPES, MESSAGE_STATES, ROLES } from '../model.js';
import { named, Time } from './schema-kit.js';

const MAX_KEY_TEXT = 1_024;

/** Longest validity or expiry somebody may ask for. Seconds. */
const MAX_EXPIRY = 10 * 365 * 86_400;

const Count = z.number().int().min(0);
const TimeOrNull = Time.nullable();

// ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────────

const DeviceName = z
  .string()
  .min(1)
  .max(200)
  .describe('Up to 64 characters; unique, whatever the case of its letters.');
const Note = z.string().max(4_000).describe('Up to 1,000 characters.');
const Tags = z.array(z.string().min(1).max(50)).max(50).describe('Up to 16 of up to 32 of a-z 0-9 _ . : -');
const KeyText = z
  .string()
  .min(1)
  .max(MAX_KEY_TEXT)
  .describe('Text whose UTF-8 bytes are the key, `hex:…` or `base64:…`; at least 16 bytes.');

export const NewDeviceBody = named(
  'NewDevice',
  'A device to register. Without `id` it gets a random one, without `key` a new one, which is answered once.',
  z.strictObject({
    id: z.string().min(1).max(50).optional().describe('Such as `aa:bb:cc:dd:ee:ff`.'),
    name: DeviceName.optional(),
    note: Note.optional(),
    tags: Tags.optional(),
    enabled: z.boolean().optional(),
    key: KeyText.optional(),
  }),
);

export const DevicePatchBody = named(
  'DevicePatch',
  'What changes; everything else stays.',
  z.strictObject({
    name: DeviceName.optional(),
    note: Note.optional(),
    tags: Tags.optional(),
    enabled: z.boolean().optional(),
  }),
);

export const RotationBody = named(
  'Rotation',
  'Without `key` a new one is made. Without `oldUntil` the old key is valid until the device has used the new one.',
  z.strictObject({ key: KeyText.optional(), oldUntil: Time.optional() }),
);

export const AdmissionBody = named(
  'Admission',
  'Without `key` a new one is made; with it the device gets in with the key it has.',
  z.strictObject({ name: DeviceName.optional(), key: KeyText.optional() }),
);

export const OutgoingBody = named(
  'OutgoingMessage',
  'A message to a device: exactly one of `text`, `base64` and `json`.',
  z.strictObject({
    text: z.string().optional(),
    base64: z.base64({ error: 'expected base64 with padding' }).optional(),
    json: z.unknown().optional().describe('Any JSON value; sent as compact UTF-8 text.'),
    expiresIn: z
      .number()
      .min(1)
      .max(MAX_EXPIRY)
      .optional()
      .describe('Seconds after which it is not handed over any more.'),
    redeliver: z
      .boolean()
      .optional()
      .describe(
        'Whether it is sent again when its session broke before it was confirmed; it may arrive twice.',
      ),
  }),
);

export const NewTokenBody = named(
  'NewToken',
  'A token for programs. Without `expiresAt` it is valid until it is removed.',
  z.strictObject({ name: z.string().min(1).max(100), role: z.enum(ROLES), expiresAt: Time.optional() }),
);

export const LoginLinkBody = named(
  'NewLoginLink',
  'Role of the browser session; `admin` unless told otherwise.',
  z.strictObject({ role: z.enum(ROLES).optional() }),
);

export const TokenLoginBody = named(
  'TokenLogin',
  'A token that a browser is logged in with; it is not stored.',
  z.strictObject({ token: z.string().min(1).max(MAX_KEY_TEXT) }),
);

// ── Answers ────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ErrorAnswer = named(
  'Error',
  'What went wrong and what to do.',
  z.strictObject({
    error: z.strictObject({
      code: z.string().describe('Stable, such as `not_found`.'),
      message: z.string(),
      field: z.string().optional().describe('Which field it is about, such as `tags[0]`.'),
    }),
  }),
);

export const SessionAnswer = named(
  'Session',
  'A session that is open now.',
  z.strictObject({
    device: z.string(),
    id: z.string(),
    transport: z.string(),
    peer: z.string(),
    since: Time,
    keyIndex: z.number().int().min(0).max(1).describe('0: under the new key, 1: under the old one.'),
    rtt: z.number().nullable().describe('Milliseconds.'),
    messagesIn: Count,
    messagesOut: Count,
    bytesIn: Count,
    bytesOut: Count,
    framesRetransmitted: Count,
    unconfirmed: Count,
  }),
);

export const DeviceAnswer = named(
  'Device',
  'A registered device. No keys: revoked.',
  z.strictObject({
    id: z.string(),
    name: z.string(),
    note: z.string(),
    tags: z.array(z.string()),
    enabled: z.boolean(),
    createdAt: Time,
    updatedAt: Time,
    lastConnectedAt: TimeOrNull,
    lastSeenAt: TimeOrNull,
    lastAddress: z.string().nullable(),
    lastTransport: z.string().nullable(),
    counters: z.strictObject({
      sessions: Count,
      messagesIn: Count,
      messagesOut: Count,
      bytesIn: Count,
      bytesOut: Count,
    }),
    keys: z.array(
      z.strictObject({
        fingerprint: z.string(),
        createdAt: Time,
        usedAt: TimeOrNull,
        expiresAt: TimeOrNull,
      }),
    ),
    online: z.boolean(),
    session: SessionAnswer.nullable(),
  }),
);

export const KeyedDeviceAnswer = named(
  'DeviceWithKey',
  'A device and its new key, which is never shown again; null when the key was given.',
  z.strictObject({ device: DeviceAnswer, key: z.string().nullable(), urls: z.array(z.string()) }),
);

export const MessageAnswer = named(
  'Message',
  'One message; its body is one of `text`, `base64` and `json`.',
  z.strictObject({
    id: Count,
    device: z.string(),
    direction: z.enum(['in', 'out']),
    at: Time,
    state: z.enum(MESSAGE_STATES),
    text: z.string().optional(),
    base64: z.string().optional(),
    json: z.unknown().optional(),
    size: Count.describe('Bytes.'),
    sentAt: TimeOrNull,
    doneAt: TimeOrNull,
    expiresAt: TimeOrNull,
    redeliver: z.boolean(),
    session: z.string().nullable(),
  }),
);

export const EventAnswer = named(
  'Event',
  'Something that happened. An event of type `message` has the id of its message.',
  z.strictObject({
    id: Count,
    at: Time,
    type: z.enum(EVENT_TYPES),
    device: z.string().nullable(),
    data: z.record(z.string(), z.unknown()),
  }),
);

export const RefusedAnswer = named(
  'Refused',
  'A device that was turned away, or somebody who claimed to be one.',
  z.strictObject({
    id: Count,
    device: z.string().nullable(),
    address: z.string(),
    transport: z.string(),
    reason: z.string(),
    message: z.string(),
    firstAt: Time,
    lastAt: Time,
    count: Count,
  }),
);

export const TokenAnswer = named(
  'Token',
  'A token, without its secret.',
  z.strictObject({
    id: z.string(),
    name: z.string(),
    role: z.enum(ROLES),
    createdAt: Time,
    usedAt: TimeOrNull,
    expiresAt: TimeOrNull,
  }),
);

export const StatusAnswer = named(
  'Status',
  'The gateway as it is now.',
  z.strictObject({
    version: z.string(),
    startedAt: Time,
    urls: z.array(z.string()).describe('Where devices connect.'),
    addresses: z
      .array(z.string())
      .describe('Of this machine in its networks, which stand for 0.0.0.0 and [::] in `urls`.'),
    ready: z.boolean(),
    reasons: z.array(z.string()).describe('Why it is not ready.'),
    devices: z.strictObject({ registered: Count, online: Count }),
    sessions: z.strictObject({ open: Count, halfOpen: Count, accepted: Count }),
    refused: z.record(z.string(), Count).describe('Handshakes since the start, by reason.'),
    refusedEntries: Count.describe('Entries in the list of refused devices.'),
    messages: z.strictObject({ in: Count, out: Count, bytesIn: Count, bytesOut: Count }),
    lastEvent: Count.describe('Id of the last event.'),
    eventStreams: Count,
    caller: z.strictObject({ name: z.string(), role: z.enum(ROLES) }),
  }),
);

export const StatsAnswer = named(
  'Stats',
  'The fleet in numbers.',
  z.strictObject({
    at: Time,
    interval: z.number().describe('Seconds between two samples.'),
    devices: z.strictObject({ registered: Count, online: Count }),
    totals: z.strictObject({ messagesIn: Count, messagesOut: Count }).describe('Since the start.'),
    roundTrip: z.number().nullable().describe('Mean of the devices that are online. Milliseconds.'),
    samples: z
      .array(
        z.strictObject({
          at: Time,
          online: Count,
          messagesIn: Count.describe('Since the sample before.'),
          messagesOut: Count,
          refused: Count.describe('Handshakes.'),
          roundTrip: z.number().nullable(),
        }),
      )
      .describe('The oldest first.'),
  }),
);

export const ActivityAnswer = named(
  'Activity',
  'Messages of one device by minute. A minute in which nothing was said is left out.',
  z.strictObject({
    from: Time.describe('From here on it is all there.'),
    complete: z.boolean().describe('Whether that is an hour ago, and not less.'),
    minutes: z.array(z.strictObject({ at: Time, messagesIn: Count, messagesOut: Count })),
  }),
);

export const OptionAnswer = named(
  'Option',
  'An option of the configuration.',
  z.strictObject({
    name: z.string(),
    value: z.string().describe('As the file has it.'),
    description: z.string(),
    live: z.boolean().describe('Whether SIGHUP applies a change; others take a restart.'),
    flag: z.string(),
    variable: z.string().describe('Of the environment.'),
  }),
);
