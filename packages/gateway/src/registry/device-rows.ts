/**
 * Devices as they come out of the database: as JSON that SQLite writes, many in one row. Each row that libsql returns
 * costs as much as ten devices written this way.
 *
 * @module
 */

import type { Device, KeyFacts } from '../model.js';

/** The place of each column in a row of `DEVICE_JSON`. */
type DeviceRow = readonly [
  id: string,
  name: string,
  note: string,
  enabled: number,
  createdAt: number,
  updatedAt: number,
  connectedAt: number | null,
  seenAt: number | null,
  address: string | null,
  transport: string | null,
  sessions: number,
  messagesIn: number,
  messagesOut: number,
  bytesIn: number,
  bytesOut: number,
  tags: readonly string[],
  keys: readonly KeyRow[],
];

type KeyRow = readonly [
  slot: number,
  fingerprint: string,
  createdAt: number,
  usedAt: number | null,
  expiresAt: number | null,
];

/** An expression for one row of the table `d`. */
export const DEVICE_JSON = `json_array(
  d.id, d.name, d.note, d.enabled, d.created_at, d.updated_at, d.connected_at, d.seen_at, d.address, d.transport,
  d.sessions, d.messages_in, d.messages_out, d.bytes_in, d.bytes_out,
  json((SELECT json_group_array(tag) FROM device_tags WHERE device = d.id)),
  json((SELECT json_group_array(json_array(slot, fingerprint, created_at, used_at, expires_at))
        FROM device_keys WHERE device = d.id)))`;

/** The devices of a `json_group_array(DEVICE_JSON)`. */
export function readDevices(json: string): Device[] {
  return (JSON.parse(json) as DeviceRow[]).map(deviceOf);
}

/** The device of a `DEVICE_JSON`. */
export function readDevice(json: string): Device {
  return deviceOf(JSON.parse(json) as DeviceRow);
}

function deviceOf(row: DeviceRow): Device {
  const [id, name, note, enabled, createdAt, updatedAt, connectedAt, seenAt, address, transport] = row;
  const [sessions, messagesIn, messagesOut, bytesIn, bytesOut, tags, keys] = row.slice(10) as unknown as [
    number,
    number,
    number,
    number,
    number,
    readonly string[],
    readonly KeyRow[],
  ];
  return {
    id,
    name,
    note,
    tags: tags.toSorted(),
    enabled: enabled === 1,
    createdAt,
    updatedAt,
    lastConnectedAt: connectedAt ?? undefined,
    lastSeenAt: seenAt ?? undefined,
    lastAddress: address ?? undefined,
    lastTransport: transport ?? undefined,
    counters: { sessions, messagesIn, messagesOut, bytesIn, bytesOut },
    keys: keys.toSorted(([a], [b]) => a - b).map(factsOf),
  };
}

function factsOf([, fingerprint, createdAt, usedAt, expiresAt]: KeyRow): KeyFacts {
  return { fingerprint, createdAt, usedAt: usedAt ?? undefined, expiresAt: expiresAt ?? undefined };
}
