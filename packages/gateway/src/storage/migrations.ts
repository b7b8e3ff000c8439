/**
 * The tables, in numbered steps. A step that has been released is never changed; the next one is appended.
 *
 * @module
 */

/** Step n makes version n + 1 (`PRAGMA user_version`) out of version n. Each runs in a transaction of its own. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

  CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- What names are compared and sorted by: the name in lower case, of all scripts.
    name_key TEXT NOT NULL UNIQUE,
    note TEXT NOT NULL DEFAULT '',
    enabled INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    connected_at INTEGER,
    seen_at INTEGER,
    address TEXT,
    transport TEXT,
    sessions INTEGER NOT NULL DEFAULT 0,
    messages_in INTEGER NOT NULL DEFAULT 0,
    messages_out INTEGER NOT NULL DEFAULT 0,
    bytes_in INTEGER NOT NULL DEFAULT 0,
    bytes_out INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX devices_by_seen ON devices (seen_at);
  CREATE INDEX devices_by_created ON devices (created_at);

  CREATE TABLE device_tags (
    tag TEXT NOT NULL,
    device TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, device)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_tags_by_device ON device_tags (device);

  -- slot 0: the new key; 1: the old one, while both are valid.
  CREATE TABLE device_keys (
    device TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    slot INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    expires_at INTEGER,
    PRIMARY KEY (device, slot)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_keys_by_expiry ON device_keys (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL,
    address TEXT NOT NULL,
    transport TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    UNIQUE (device, address, transport, reason)
  ) STRICT;
  CREATE INDEX refused_by_time ON refused (last_at);

  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    expires_at INTEGER
  ) STRICT, WITHOUT ROWID;

  -- Of browsers; hash: SHA-256 of the secret in the cookie. Those with a token end with it.
  CREATE TABLE logins (
    hash TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    token TEXT REFERENCES tokens (id) ON DELETE CASCADE,
    until INTEGER NOT NULL,
    last INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- direction 0: from the device, 1: to it. state and format: places in MESSAGE_STATES and MESSAGE_FORMATS.
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    direction INTEGER NOT NULL,
    at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    format INTEGER NOT NULL,
    payload BLOB NOT NULL,
    sent_at INTEGER,
    done_at INTEGER,
    expires_at INTEGER,
    redeliver INTEGER NOT NULL DEFAULT 0,
    session TEXT,
    request TEXT
  ) STRICT;
  -- By device within each 4,096 ids (ID_BLOCK): new messages of all devices then change the same few pages, and not one
  -- for each device; a reader of one device looks into one block after the other.
  CREATE INDEX messages_by_device ON messages (id >> 12, device, id);
  CREATE INDEX messages_queued ON messages (device, id) WHERE state = 1;
  CREATE INDEX messages_in_flight ON messages (id) WHERE state = 2 AND redeliver = 1;
  CREATE INDEX messages_expiring ON messages (expires_at) WHERE state = 1 AND expires_at IS NOT NULL;
  CREATE UNIQUE INDEX messages_by_request ON messages (device, request) WHERE request IS NOT NULL;

  CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    device TEXT,
    data TEXT NOT NULL
  ) STRICT;
  `,
];
