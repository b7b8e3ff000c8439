import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ROLES, type Role } from '#dist/model.js';
import { type Bed, openBed } from './bed.js';
import { operationIds, operationOf } from './document.js';
import { pathOf, SCENARIOS } from './scenarios.js';

/** Who may do what; written down once more here, so that a slip in one place shows. */
const NEEDED: Readonly<Record<'nobody' | Role, readonly string[]>> = {
  nobody: [
    'getHealth',
    'getReadiness',
    'getMetrics',
    'getOpenApi',
    'login',
    'loginWithToken',
    'getPage',
    'getAddPage',
    'getDevicePage',
    'getRefusedPage',
    'getEventsPage',
    'getSettingsPage',
    'getPageScript',
    'getPageStyle',
  ],
  read: [
    ...['getStatus', 'listDevices', 'getDevice', 'listSessions', 'listDeviceMessages', 'listMessages'],
    ...['getMessage', 'listOutbox', 'streamEvents', 'listEvents', 'listRefused', 'logout'],
    ...['getStats', 'listTags', 'getDeviceActivity'],
  ],
  send: ['pingDevice', 'sendMessage', 'cancelMessage', 'clearOutbox'],
  admin: [
    ...[
      'addDevice',
      'importDevices',
      'exportDevices',
      'updateDevice',
      'removeDevice',
      'rotateKey',
      'dropOldKey',
    ],
    ...[
      'revokeKeys',
      'endSession',
      'admitRefused',
      'removeRefused',
      'clearRefused',
      'listTokens',
      'createToken',
    ],
    ...['removeToken', 'createLoginLink', 'getConfig'],
  ],
};

const CALLERS = ['nobody', ...ROLES] as const;

const tidy: (() => unknown)[] = [];
let bed: Bed;

before(async () => {
  bed = await openBed({ after: (undo: () => unknown) => void tidy.push(undo) });
});
after(() => Promise.all(tidy.map((undo) => undo())));

test('every operation has its place in the table of roles', () => {
  assert.deepEqual(Object.values(NEEDED).flat().toSorted(), operationIds.toSorted());
});

for (const caller of CALLERS)
  test(`with the role ${caller} one may do what that role may, and nothing else`, async () => {
    for (const [needed, ids] of Object.entries(NEEDED) as [(typeof CALLERS)[number], readonly string[]][])
      for (const id of ids) {
        const status = await tryAs(caller, id);
        const may = CALLERS.indexOf(caller) >= CALLERS.indexOf(needed);
        if (may) assert.ok(status < 400, `${caller} must be able to ${id}, but: ${status}`);
        else assert.equal(status, caller === 'nobody' ? 401 : 403, `${caller} must not ${id}`);
      }
  });

test('a token that was removed is good for nothing from then on', async () => {
  const { token, facts } = bed.tokens.create('brief', 'admin');
  const path = '/api/v1/status';
  assert.equal((await bed.ask('GET', path, { as: { token } })).status, 200);
  await bed.ask('DELETE', `/api/v1/tokens/${facts.id}`);
  assert.equal((await bed.ask('GET', path, { as: { token } })).status, 401);
});

async function tryAs(caller: (typeof CALLERS)[number], id: string): Promise<number> {
  const { method, path } = operationOf(id);
  const request = await SCENARIOS[id]!.good(bed);
  const stop = new AbortController();
  const isRaw = typeof request.body === 'string';
  const response = await fetch(bed.url + pathOf(path, request), {
    method,
    redirect: 'manual',
    signal: stop.signal,
    headers: {
      ...(caller === 'nobody' ? {} : { authorization: `Bearer ${bed.secrets[caller]}` }),
      ...(request.body === undefined ? {} : { 'content-type': request.type ?? 'application/json' }),
      ...request.headers,
    },
    ...(request.body === undefined
      ? {}
      : { body: isRaw ? (request.body as string) : JSON.stringify(request.body) }),
  });
  // An event stream goes on.
  if (id === 'streamEvents') stop.abort();
  else await response.arrayBuffer();
  return response.status;
}
