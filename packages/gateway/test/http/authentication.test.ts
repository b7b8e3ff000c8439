import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { test } from 'node:test';
import { type Bed, openBed } from './bed.js';

const STATUS = '/api/v1/status';

test('without a token, with garbage, and with an expired one the answer is 401 and says how to authenticate', async (t) => {
  const clock = { now: Date.now() };
  const bed = await openBed(t, { now: () => clock.now });
  const { token } = bed.tokens.create('brief', 'read', clock.now + 1_000);
  assert.equal((await bed.ask('GET', STATUS, { as: { token } })).status, 200);
  clock.now += 1_001;
  for (const authorization of [
    `Bearer ${token}`,
    'Bearer',
    'Bearer ',
    'Bearer usmp_garbage',
    `Bearer ${bed.secrets.read}x`,
    `Bearer ${bed.secrets.read} ${bed.secrets.read}`,
    `Basic ${Buffer.from(`admin:${bed.secrets.admin}`).toString('base64')}`,
    bed.secrets.admin,
  ]) {
    const answer = await bed.ask('GET', STATUS, { as: null, headers: { authorization } });
    assert.equal(answer.status, 401, authorization);
    assert.match(
      answer.headers.get('www-authenticate') ?? '',
      /^Bearer realm="usmp-gateway", error="invalid_token"$/,
    );
    assert.equal(answer.json.error.code, 'unauthorized');
  }
  const nobody = await bed.ask('GET', STATUS, { as: null });
  assert.equal(nobody.status, 401);
  assert.equal(nobody.headers.get('www-authenticate'), 'Bearer realm="usmp-gateway"');
});

test('after ten failures in a minute an address gets 429, and a valid token of the same address goes on', async (t) => {
  const bed = await openBed(t);
  for (let attempt = 0; attempt < 10; attempt++)
    assert.equal((await bed.ask('GET', STATUS, { as: { token: 'usmp_guess' } })).status, 401);
  const refused = await bed.ask('GET', STATUS, { as: { token: 'usmp_guess' } });
  assert.equal(refused.status, 429);
  assert.match(refused.headers.get('retry-after') ?? '', /^[1-9][0-9]?$/);
  assert.equal((await bed.ask('GET', '/login?ticket=guess', { as: null })).status, 429);
  assert.equal((await bed.ask('GET', STATUS, { as: 'read' })).status, 200);
  // Who brings no secret has not guessed one.
  assert.equal((await bed.ask('GET', STATUS, { as: null })).status, 401);
});

test('an address gets as many answers a minute as the configuration says, which may change while it runs', async (t) => {
  const bed = await openBed(t, { http: { rateLimit: 3 } });
  const statuses = [];
  for (let request = 0; request < 4; request++) statuses.push((await bed.ask('GET', '/healthz')).status);
  assert.deepEqual(statuses, [200, 200, 200, 429]);
  const refused = await bed.ask('GET', '/no/such/path');
  assert.equal(refused.status, 429);
  assert.match(refused.json.error.message, /: wait \d+ s, or raise http\.rate_limit in the configuration$/);
  const { current } = bed.config;
  bed.config.current = { ...current, http: { ...current.http, rateLimit: 100 } };
  assert.equal((await bed.ask('GET', '/healthz')).status, 200);
});

test('after the clock was set back an address waits no longer than a minute', async (t) => {
  const bed = await openBed(t, { http: { rateLimit: 1 } });
  await bed.ask('GET', '/healthz');
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 86_400_000 });
  const { status, headers } = await bed.ask('GET', '/healthz');
  assert.equal(status, 429);
  assert.ok(Number(headers.get('retry-after')) <= 60, `${headers.get('retry-after')} s`);
});

test('behind a proxy an address is the last one of X-Forwarded-For; without one the header means nothing', async (t) => {
  const proxied = await openBed(t, { http: { rateLimit: 1, trustProxy: true } });
  const plain = await openBed(t, { http: { rateLimit: 1 } });
  const from = (bed: Bed, address: string) =>
    bed.ask('GET', '/healthz', { headers: { 'x-forwarded-for': `198.51.100.1, ${address}` } });
  assert.equal((await from(proxied, '192.0.2.1')).status, 200);
  assert.equal((await from(proxied, '192.0.2.2')).status, 200);
  assert.equal((await from(proxied, '192.0.2.1')).status, 429);
  assert.equal((await from(plain, '192.0.2.1')).status, 200);
  assert.equal((await from(plain, '192.0.2.2')).status, 429);
});

test('a login link logs a browser in once, with a cookie that scripts cannot read and other sites do not send', async (t) => {
  const bed = await openBed(t);
  const link = await bed.ask('POST', '/api/v1/login-links', { body: { role: 'send' } });
  assert.equal(link.status, 201);
  const { pathname, search, origin } = new URL(link.json.url);
  assert.equal(origin, bed.url);
  const login = await bed.ask('GET', pathname + search, { as: null });
  assert.equal(login.status, 303);
  assert.equal(login.headers.get('location'), './');
  const cookie = login.headers.get('set-cookie')!;
  assert.match(cookie, /^usmp-gateway=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const again = await bed.ask('GET', pathname + search, { as: null });
  assert.equal(again.status, 401);
  // The dashboard, which at this path says what to do.
  assert.match(again.headers.get('content-type')!, /^text\/html/);
  const headers = { cookie: cookie.split(';')[0]! };
  const status = await bed.ask('GET', STATUS, { as: null, headers });
  assert.deepEqual(status.json.caller, { name: 'browser', role: 'send' });
  assert.equal((await bed.ask('GET', '/api/v1/tokens', { as: null, headers })).status, 403);
});

test('the cookie is marked as secure where browsers come through TLS', async (t) => {
  const bed = await openBed(t, { http: { url: 'https://gateway.example/usmp' } });
  const { json } = await bed.ask('POST', '/api/v1/login-links');
  assert.match(json.url, /^https:\/\/gateway\.example\/usmp\/login\?ticket=[\w-]{43}$/);
  const { search } = new URL(json.url);
  const login = await bed.ask('GET', `/login${search}`, { as: null });
  assert.match(login.headers.get('set-cookie')!, /; Secure/);
});

test('who logs out is out, and the browser forgets the cookie', async (t) => {
  const bed = await openBed(t);
  const cookie = await logIn(bed);
  const headers = { cookie, origin: bed.url };
  const out = await bed.ask('POST', '/logout', { as: null, headers });
  assert.equal(out.status, 204);
  assert.match(out.headers.get('set-cookie')!, /^usmp-gateway=; Max-Age=0;/);
  assert.equal((await bed.ask('GET', STATUS, { as: null, headers: { cookie } })).status, 401);
});

test('a cookie changes nothing for a page of another origin, nor for one that does not say where it comes from', async (t) => {
  const bed = await openBed(t, { http: { url: 'https://gateway.example' } });
  const cookie = await logIn(bed);
  const change = (headers: Record<string, string>) =>
    bed.ask('POST', '/api/v1/devices', { as: null, body: {}, headers: { cookie, ...headers } });
  const look = (headers: Record<string, string>) =>
    bed.ask('GET', STATUS, { as: null, headers: { cookie, ...headers } });
  for (const headers of [
    {},
    { origin: 'https://attacker.example' },
    { origin: 'null' },
    { origin: `${bed.url}.attacker.example` },
    { origin: bed.url.replace('http:', 'https:') },
  ] as Record<string, string>[])
    assert.equal((await change(headers)).status, 403, JSON.stringify(headers));
  assert.equal((await change({ origin: bed.url })).status, 201);
  assert.equal((await change({ origin: 'https://gateway.example' })).status, 201);
  assert.equal((await look({})).status, 200);
  // `fetch` of Node does not let a program say it; a browser does not let a page.
  for (const [site, method, status] of [
    ['cross-site', 'GET', 403],
    ['same-site', 'POST', 403],
    ['none', 'POST', 403],
    ['none', 'GET', 200],
    ['same-origin', 'POST', 201],
  ] as const)
    assert.equal(
      await rawStatus(bed, method, { cookie, 'sec-fetch-site': site }),
      status,
      `${site} ${method}`,
    );
});

test('on a loopback address only names of this machine and that of the proxy are answered (DNS rebinding)', async (t) => {
  const bed = await openBed(t, { http: { url: 'https://gateway.example' } });
  for (const host of [
    'attacker.example',
    `attacker.example:${bed.port}`,
    '127.0.0.1.attacker.example',
    '192.0.2.1',
  ])
    assert.equal(await rawStatus(bed, 'GET', { host }, '/healthz'), 403, host);
  for (const host of [
    'localhost',
    `LOCALHOST:${bed.port}`,
    '127.0.0.1',
    `[::1]:${bed.port}`,
    'gateway.example',
  ])
    assert.equal(await rawStatus(bed, 'GET', { host }, '/healthz'), 200, host);
});

test('metrics need a token as soon as they are asked for from elsewhere, or through a proxy', async (t) => {
  const bed = await openBed(t, { http: { url: 'https://gateway.example' } });
  assert.equal((await bed.ask('GET', '/metrics', { as: null })).status, 200);
  for (const headers of [
    { 'x-forwarded-for': '192.0.2.1' },
    { forwarded: 'for=192.0.2.1' },
    { via: '1.1 proxy' },
    { host: 'gateway.example' },
  ] as Record<string, string>[])
    assert.equal(await rawStatus(bed, 'GET', headers, '/metrics'), 401, JSON.stringify(headers));
  const headers = { 'x-forwarded-for': '192.0.2.1' };
  assert.equal((await bed.ask('GET', '/metrics', { as: 'read', headers })).status, 200);
});

async function logIn(bed: Bed): Promise<string> {
  const login = await bed.ask('GET', `/login?ticket=${bed.logins.createTicket('admin')}`, { as: null });
  return login.headers.get('set-cookie')!.split(';')[0]!;
}

/** With headers that `fetch` sets itself. */
function rawStatus(
  bed: Bed,
  method: string,
  headers: Record<string, string>,
  path = method === 'GET' ? STATUS : '/api/v1/devices',
): Promise<number> {
  return new Promise((resolve, reject) => {
    const body = method === 'POST' ? '{}' : '';
    const typed = method === 'POST' ? { 'content-type': 'application/json', ...headers } : headers;
    httpRequest(bed.url + path, { method, headers: typed }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!));
    })
      .on('error', reject)
      .end(body);
  });
}

test('a browser that has sent a token is logged in with its role, for as long as there is the token', async (t) => {
  const bed = await openBed(t);
  const { token, facts } = bed.tokens.create('laptop', 'send');
  const login = await bed.ask('POST', '/login', { as: null, body: { token } });
  assert.equal(login.status, 204);
  const cookie = login.headers.get('set-cookie')!;
  assert.match(cookie, /; HttpOnly; SameSite=Strict$/);
  assert.ok(!cookie.includes(token));
  const headers = { cookie: cookie.split(';')[0]! };
  const status = await bed.ask('GET', STATUS, { as: null, headers });
  assert.deepEqual(status.json.caller, { name: 'browser', role: 'send' });
  bed.tokens.remove(facts.id);
  assert.equal((await bed.ask('GET', STATUS, { as: null, headers })).status, 401);
});

test('somebody who guesses tokens at the login is slowed down', async (t) => {
  const bed = await openBed(t);
  const statuses = new Set<number>();
  for (let attempt = 0; attempt < 20; attempt++)
    statuses.add((await bed.ask('POST', '/login', { as: null, body: { token: `usmp_${attempt}` } })).status);
  assert.deepEqual([...statuses], [401, 429]);
  assert.ok(!bed.log.join('').includes('usmp_1'));
});
