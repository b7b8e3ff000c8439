import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { GatewayError } from '#dist/errors.js';
import { createApp } from '#dist/http/app.js';
import { dashboardAsset, dashboardAssets, dashboardPage } from '#dist/http/dashboard.js';
import { CERTIFICATE, PRIVATE_KEY } from '../config/certificate.js';
import { openBed } from './bed.js';

test('answers of the API can be neither framed, nor stored, nor taken for something else, and tell nothing of the server', async (t) => {
  const { ask } = await openBed(t);
  for (const [path, as] of [
    ['/api/v1/devices', 'read'],
    ['/api/v1/devices', null],
    ['/healthz', null],
    ['/nothing', null],
  ] as const) {
    const { headers } = await ask('GET', path, { as });
    assert.equal(headers.get('content-security-policy'), "default-src 'none';frame-ancestors 'none'", path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('x-frame-options'), 'DENY');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
    assert.equal(headers.get('cache-control'), 'no-store');
    for (const name of ['server', 'x-powered-by', 'strict-transport-security', 'access-control-allow-origin'])
      assert.equal(headers.get(name), null, name);
  }
});

test('an answer with a new key is not stored by anybody on the way', async (t) => {
  const { ask } = await openBed(t);
  const { headers, json } = await ask('POST', '/api/v1/devices', { body: { name: 'lamp' } });
  assert.ok(json.key.length >= 32);
  assert.equal(headers.get('cache-control'), 'no-store');
  const again = await ask('GET', '/api/v1/devices/lamp');
  assert.ok(!again.text.includes(json.key));
});

test('a key that was given is answered to nobody', async (t) => {
  const { ask } = await openBed(t);
  const key = 'the key that it has already';
  const { text, json } = await ask('POST', '/api/v1/devices', { body: { name: 'lamp', key } });
  assert.equal(json.key, null);
  assert.ok(!text.includes(key));
  const short = await ask('POST', '/api/v1/devices/lamp/rotate', { body: { key: 'too short' } });
  assert.equal(short.status, 400);
  assert.equal(short.json.error.field, 'key');
  assert.ok(!short.text.includes('too short"'));
});

test('the page loads script and style from here alone, and has nothing inline', async (t) => {
  const { ask } = await openBed(t);
  const page = await ask('GET', '/?from=bookmark', { as: null });
  assert.equal(page.status, 200);
  const policy = page.headers.get('content-security-policy')!;
  assert.match(policy, /^default-src 'none';script-src 'self';style-src 'self';connect-src 'self';/);
  assert.doesNotMatch(policy, /unsafe/);
  assert.doesNotMatch(page.text, /<script>|<style>| on\w+=| style=/);
  assert.notDeepEqual(dashboardAssets(), [], 'it is not built: npm run build');
  for (const name of dashboardAssets()) {
    assert.ok(page.text.includes(`"./${name}"`));
    assert.doesNotMatch(dashboardAsset(name)!.plain.toString(), /https?:\/\/(?!www\.w3\.org\/)/, name);
    const { status, headers } = await ask('GET', `/${name}`, { as: null });
    assert.equal(status, 200);
    assert.match(headers.get('cache-control')!, /immutable/);
  }
});

test('the page of a device refers to the same files, wherever a proxy has put the gateway', () => {
  const [name] = dashboardAssets();
  assert.ok(dashboardPage(1).includes(`"../${name}"`));
  assert.doesNotMatch(dashboardPage(1), /"\.?\/s(?:cript|tyle)s/);
});

test('a browser that opens an address which is none is led to a page; programs, and who asks the API, get an error', async (t) => {
  const { ask } = await openBed(t);
  const open = (path: string, accept = 'text/html,*/*;q=0.8') =>
    ask('GET', path, { as: null, headers: { accept } });
  for (const [path, leads] of [
    ['/settings/', '../settings'],
    ['/events/?device=lamp', '../events?device=lamp'],
    ['/devices/02:00:00:00:00:01//', '../../../devices/02:00:00:00:00:01'],
    ['/devices/', '../'],
    ['/login', './'],
    ['/logout', './'],
    ['/nothing', './'],
    ['//elsewhere.example/', '../../'],
    ['/scripts/old.js', '../'],
  ] as const) {
    const { status, headers } = await open(path);
    assert.deepEqual([status, headers.get('location')], [303, leads], path);
  }
  assert.equal((await open('/settings/', '*/*')).json.error.code, 'not_found');
  assert.equal((await open('/api/v1/nothing')).json.error.code, 'not_found');
  assert.equal((await open('/healthz?verbose=1')).json.error.code, 'invalid');
});

test('the first page is less than 150 kB', () => {
  const sizes = dashboardAssets().map((name) => dashboardAsset(name)!.gzip.length);
  assert.ok(sizes.reduce((sum, size) => sum + size, dashboardPage(0).length) < 150_000);
});

test('with a certificate it is HTTPS, and browsers are told to stay with it', async (t) => {
  const bed = await openBed(t);
  const tls = { cert: join(bed.folder, 'cert.pem'), key: join(bed.folder, 'key.pem') };
  writeFileSync(tls.cert, CERTIFICATE);
  writeFileSync(tls.key, PRIVATE_KEY);
  const { current } = bed.config;
  const secure = { ...bed, config: () => ({ ...current, http: { ...current.http, tls } }) };
  const app = await createApp(secure);
  t.after(() => app.close());
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  assert.match(url, /^https:/);
  const headers = await new Promise<Record<string, unknown>>((resolve, reject) => {
    request(`${url}/healthz`, { ca: CERTIFICATE }, (answer) => resolve(answer.resume().headers))
      .on('error', reject)
      .end();
  });
  assert.equal(headers['strict-transport-security'], 'max-age=15552000');
});

test('a certificate that cannot be read is named', async (t) => {
  const bed = await openBed(t);
  const { current } = bed.config;
  const tls = { cert: join(bed.folder, 'missing.pem'), key: join(bed.folder, 'missing.pem') };
  const broken = { ...bed, config: () => ({ ...current, http: { ...current.http, tls } }) };
  await assert.rejects(createApp(broken), (error: unknown) => {
    assert.ok(error instanceof GatewayError);
    assert.match(error.message, /missing\.pem/);
    return true;
  });
});
