import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import type { Config } from '#dist/config/config.js';
import { OPTIONS } from '#dist/config/options.js';
import { changesOf } from '#dist/config/reload.js';
import { toTOML } from '#dist/config/write.js';
import { makeBed } from './bed.js';

test('names of flags and of the environment follow from the path, and no two are the same', () => {
  const option = OPTIONS.find(({ path }) => path === 'sessions.max_per_address')!;
  assert.equal(option.flag, '--sessions-max-per-address');
  assert.equal(option.env, 'USMP_GATEWAY_SESSIONS_MAX_PER_ADDRESS');
  assert.equal(option.attribute, 'sessionsMaxPerAddress');
  for (const key of ['path', 'flag', 'env', 'attribute'] as const)
    assert.equal(new Set(OPTIONS.map((each) => each[key])).size, OPTIONS.length);
});

test('whatever weakens security has danger in its name', () => {
  for (const { path, description } of OPTIONS) {
    if (/can be read on the way/.test(description)) assert.match(path, /danger/);
  }
});

test('docs/gateway-config.md lists exactly the options that exist, as they are', () => {
  const text = readFileSync(new URL('../../../../docs/gateway-config.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => /^\| `[a-z_.]+` \|/.test(line));
  const expected = OPTIONS.map(
    ({ path, default: standard, allowed, live, description }) =>
      `| \`${path}\` | \`${toTOML(standard)}\` | ${allowed} | ${live ? 'at once' : 'restart'} | ${description} |`,
  );
  assert.deepEqual(rows, expected, `the table has to be:\n${expected.join('\n')}`);
});

test('a change is told by the name of the option, and whether it applies at once or at the next start', (t) => {
  const bed = makeBed(t);
  const before = bed.load().config;
  assert.deepEqual(changesOf(before, bed.load().config), { applied: [], needRestart: [] });
  const after = bed.load({
    flags: {
      logLevel: 'debug',
      outboxExpiry: '1d',
      listen: 'tcp://127.0.0.1:0',
      httpListen: '127.0.0.1:8081',
      httpTlsCert: 'c',
      httpTlsKey: 'k',
      sessionsMaxPerAddress: '5',
    },
  }).config;
  assert.deepEqual(changesOf(before, after), {
    applied: ['log.level', 'outbox.expiry'],
    needRestart: ['listen', 'http.listen', 'http.tls_cert', 'http.tls_key', 'sessions.max_per_address'],
  });
  assert.deepEqual(changesOf(after, before).needRestart, changesOf(before, after).needRestart);
});

test('no option can change unnoticed', (t) => {
  const before = makeBed(t).load().config;
  const tls = { cert: 'c', key: 'k' };
  for (const [table, members] of Object.entries(before)) {
    if (typeof members === 'string' || Array.isArray(members)) continue;
    for (const [name, value] of Object.entries(members)) {
      const other =
        name === 'tls'
          ? tls
          : typeof value === 'boolean'
            ? !value
            : typeof value === 'number'
              ? value + 1
              : 'x';
      const isNumber = ['maxPerAddress', 'handshakeTimeout'].includes(name);
      const after = { ...before, [table]: { ...members, [name]: isNumber ? 5 : other } };
      const { applied, needRestart } = changesOf(before, after as unknown as Config);
      assert.ok(applied.length + needRestart.length > 0, `${table}.${name}`);
    }
  }
});
