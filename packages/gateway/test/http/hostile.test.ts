import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { type Answer, type Bed, openBed } from './bed.js';
import { operationIds, operationOf } from './document.js';
import { pathOf, SCENARIOS } from './scenarios.js';

const tidy: (() => unknown)[] = [];
let bed: Bed;

before(async () => {
  bed = await openBed({ after: (undo: () => unknown) => void tidy.push(undo) });
});
after(() => Promise.all(tidy.map((undo) => undo())));

const INJECTIONS = [
  "' OR '1'='1",
  "'; DROP TABLE devices; --",
  '" UNION SELECT sealed FROM device_keys --',
  '%',
  '_',
  '\\',
  '../../../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  'x\r\nSet-Cookie: a=b',
  'x\u0000y',
  '<script>alert(1)</script>',
  '{{7*7}}',
  '__proto__',
  'constructor',
  '9'.repeat(40),
  '-1',
  'NaN',
  '1e9',
];

/** It is an answer of the API that says no, or what there is: never a failure, never somebody else's data. */
function checkHarmless(answer: Answer, told: string): void {
  assert.ok(answer.status < 500, `${told}: ${answer.status} ${answer.text.slice(0, 200)}`);
  assert.doesNotMatch(answer.text, /SQLITE|at .*\.js:\d|root:/, told);
  assert.equal(answer.headers.get('set-cookie'), null, told);
  if (answer.status >= 400) assert.equal(typeof answer.json?.error.code, 'string', told);
}

test('no text in a path or in a query gets into SQL, into files, or into headers', async () => {
  const { id } = bed.devices.add({ name: 'witness' }).device;
  for (const operationId of operationIds) {
    const { method, path, parameters } = operationOf(operationId);
    if (method !== 'GET' || operationId === 'login' || operationId === 'streamEvents') continue;
    for (const { name, in: place, schema } of parameters) {
      const good = await SCENARIOS[operationId]!.good(bed);
      // What takes no free text refuses all of them alike.
      const isText = schema.type === 'string' && schema.enum === undefined;
      for (const text of isText ? INJECTIONS : INJECTIONS.slice(0, 2)) {
        const request =
          place === 'path'
            ? { ...good, params: { ...good.params, [name]: text } }
            : { ...good, query: { ...good.query, [name]: text } };
        const answer = await bed.ask(method, pathOf(path, request), request);
        checkHarmless(answer, `${operationId} ${name}=${text}`);
        // The page is the same whatever the device.
        if (operationId === 'getDevicePage') assert.equal(answer.status, 200, text);
        else if (place === 'path')
          assert.ok([400, 404].includes(answer.status), `${operationId} ${text} ${answer.status}`);
        else if (operationId === 'listDevices' && name === 'tag')
          assert.equal(answer.json.total ?? 0, 0, text);
      }
    }
  }
  assert.equal(bed.devices.require(id).name, 'witness');
});

test('no text in a body gets into SQL, and what is stored comes back as it was given', async () => {
  for (const text of INJECTIONS) {
    const named = await bed.ask('POST', '/api/v1/devices', {
      body: { name: text, note: text, tags: [text] },
    });
    checkHarmless(named, text);
    const noted = await bed.ask('POST', '/api/v1/devices', { body: { note: text } });
    checkHarmless(noted, text);
    if (noted.status === 201) assert.equal(noted.json.device.note, text.replace('\r\n', '\n'));
    else assert.ok(/[\r\0]/.test(text), text);
    const sent = await bed.ask('POST', '/api/v1/devices/witness/messages', { body: { text } });
    assert.equal(sent.json.message.text, text);
    const { id } = sent.json.message;
    assert.equal((await bed.ask('GET', `/api/v1/messages/${id}`)).json.text, text);
  }
  const path = '/api/v1/devices/witness/messages';
  const key = await bed.ask('POST', path, {
    body: { text: 'x' },
    headers: { 'idempotency-key': "' OR 1=1 --" },
  });
  assert.equal(key.status, 400);
  assert.equal(key.json.error.field, 'idempotency-key');
});

test('a field that is not known is an error that names it, in every body and every query', async () => {
  const bodies = operationIds.filter(
    (id) => ['POST', 'PATCH'].includes(operationOf(id).method) && id !== 'importDevices',
  );
  for (const id of bodies) {
    const { method, path } = operationOf(id);
    const request = await SCENARIOS[id]!.good(bed);
    const body = { ...(request.body as object), nonsense: true };
    const answer = await bed.ask(method, pathOf(path, request), { ...request, body });
    assert.equal(answer.status, 400, id);
    assert.deepEqual(answer.json.error, {
      code: 'invalid',
      message: 'nonsense: not known in the body',
      field: 'nonsense',
    });
  }
  const query = await bed.ask('GET', '/api/v1/devices?sort=size&limit=0&limit=2&colour=red');
  assert.equal(query.json.error.field, 'sort');
  assert.match(
    query.json.error.message,
    /^sort: expected "name", "id", "createdAt", "seenAt"; limit: expected once; colour: not known in the query$/,
  );
});

test('prototypes cannot be polluted', async () => {
  for (const body of [
    '{"__proto__":{"role":"admin"}}',
    '{"constructor":{"prototype":{"role":"admin"}}}',
    '{"name":"x","\\u005f_proto__":{"a":1}}',
  ]) {
    const answer = await bed.ask('POST', '/api/v1/devices', { body });
    assert.equal(answer.status, 400, body);
  }
  const query = await bed.ask('GET', '/api/v1/devices?__proto__[role]=admin&__proto__=1');
  assert.equal(query.status, 400);
  const nested = await bed.ask('POST', '/api/v1/devices/witness/messages', {
    body: '{"json":{"a":{"__proto__":1}}}',
  });
  assert.equal(nested.status, 400);
  assert.equal(({} as { role?: string }).role, undefined);
});

test('a number of JSON that would reach the device as another one is refused', async () => {
  for (const number of ['9007199254740993', '-1e400', '[{"a":18446744073709551615}]']) {
    const answer = await bed.ask('POST', '/api/v1/devices/witness/messages', { body: `{"json":${number}}` });
    assert.equal(answer.status, 400, number);
    assert.equal(answer.json.error.field, 'json');
  }
});

test('numbers that are too large, negative, or none are errors that say what may be', async () => {
  for (const limit of [
    '0',
    '-1',
    '1001',
    '1.5',
    '1e3',
    '99999999999999999999',
    'NaN',
    'Infinity',
    '0x10',
    ' 1',
    '',
  ]) {
    const answer = await bed.ask('GET', `/api/v1/devices?limit=${encodeURIComponent(limit)}`);
    assert.equal(answer.status, 400, limit);
    assert.equal(answer.json.error.message, 'limit: expected a whole number, 1 to 1000');
  }
  for (const id of ['99999999999999999999', '9007199254740993', '-5', '0', 'abc'])
    assert.equal((await bed.ask('GET', `/api/v1/messages/${id}`)).status, 400, id);
  for (const expiresIn of [0, -1, 1e300, '60'])
    assert.equal(
      (await bed.ask('POST', '/api/v1/devices/witness/messages', { body: { text: 'x', expiresIn } })).status,
      400,
      String(expiresIn),
    );
});

test('JSON of any depth is read or refused, and never brings the gateway down', async () => {
  const path = '/api/v1/devices/witness/messages';
  const deep = (depth: number) => `{"json":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  const few = await bed.ask('POST', path, { body: deep(800) });
  assert.equal(few.status, 202);
  assert.equal((await bed.ask('GET', `/api/v1/messages/${few.json.message.id}`)).status, 200);
  for (const depth of [5_000, 30_000]) {
    const answer = await bed.ask('POST', path, { body: deep(depth) });
    assert.ok([400, 413].includes(answer.status), `${depth}: ${answer.status}`);
  }
  assert.equal((await bed.ask('POST', '/api/v1/tokens', { body: '['.repeat(60_000) })).status, 400);
});

test('a body of 10 MB is refused with 413 before it is read, and without a token it is not read either', async () => {
  for (const [headers, status] of [
    [`authorization: Bearer ${bed.secrets.admin}\r\n`, '413'],
    ['', '401'],
  ] as const) {
    // Only its head is ever sent.
    const answer = await raw(
      `POST /api/v1/devices HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 10000000\r\n${headers}\r\n`,
    );
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
  }
  const path = '/api/v1/devices/import';
  const { bodyLimit } = bed.config.current.http;
  const csv = await bed.ask('POST', path, { type: 'text/csv', body: 'x'.repeat(bodyLimit + 1) });
  assert.equal(csv.status, 413);
});

test('bodies that are not valid UTF-8, not valid JSON, or of another type are refused', async () => {
  const path = '/api/v1/devices';
  const bytes = Buffer.from([0x7b, 0x22, 0x6e, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]);
  const notText = await bed.ask('POST', path, { body: bytes });
  assert.equal(notText.status, 400);
  assert.match(notText.json.error.message, /not valid UTF-8/);
  assert.equal((await bed.ask('POST', `${path}/import`, { type: 'text/csv', body: bytes })).status, 400);
  const secret = await bed.ask('POST', path, { body: '{"key": "a very secret key" oops' });
  assert.equal(secret.status, 400);
  assert.doesNotMatch(secret.text, /secret/);
  assert.match(secret.json.error.message, /^the body is not valid JSON: .* at position \d+/);
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'text/csv',
    'nonsense',
  ])
    assert.equal((await bed.ask('POST', path, { type, body: '{}' })).status, 415, type);
  assert.equal(
    (await bed.ask('POST', `${path}/import`, { type: 'application/json', body: '{}' })).status,
    415,
  );
  for (const body of ['null', '[]', '"x"', '1', 'true'])
    assert.equal((await bed.ask('POST', path, { body })).status, 400, body);
  const lone = await bed.ask('POST', `${path}/witness/messages`, { body: '{"text":"\\ud800"}' });
  assert.equal(lone.status, 400);
});

test('what is wrong with a body or a part of a path is said, without what may be a key', async () => {
  const send = async (body: string, path = '/api/v1/devices', type?: string) => {
    const { status, text, json } = await bed.ask('POST', path, { body, ...(type && { type }) });
    assert.equal(status, 400, body);
    assert.doesNotMatch(text, /secret/);
    return json.error;
  };
  for (const [body, problem] of [
    ['{bad', /: Expected property name .* at position 1/],
    ['{"key":secret}', /: Unexpected token 's'$/],
    ['{"key":"a secret that is longer than what is shown", "name": oops}', /: Unexpected token 'o'$/],
    ['{"name":"x","__proto__":{}}', /^the body has a field named __proto__ /],
  ] as const) {
    const { message, field } = await send(body);
    assert.match(message, problem);
    assert.equal(field, 'body');
  }
  assert.equal((await send('', '/api/v1/devices/import', 'text/csv')).message, 'the file is empty');
  const none = await bed.ask('GET', '/api/v1/devices/');
  assert.equal(none.json.error.message, 'id: expected 1 to 300 characters');
});

test('methods that are not there are answered with 405 and those that are, unknown paths with 404', async () => {
  for (const [method, path, status, allow] of [
    ['HEAD', '/api/v1/devices', 405, 'GET, POST'],
    ['OPTIONS', '/api/v1/devices', 405, 'GET, POST'],
    ['PUT', '/api/v1/devices/x', 405, 'GET, PATCH, DELETE'],
    ['POST', '/healthz', 405, 'GET'],
    ['PROPFIND', '/api/v1/devices', 405, 'GET, POST'],
    ['GET', '/api/v1/nothing', 404, null],
    ['GET', '/api/v1/devices/', 400, null],
    ['GET', '/../../etc/passwd', 404, null],
    ['GET', '/..%2f..%2fetc%2fpasswd', 404, null],
    ['GET', '/scripts/../../package.json', 404, null],
    ['GET', `/api/v1/devices/${'x'.repeat(600)}`, 404, null],
    ['GET', '/api/v1/devices/%ff', 400, null],
    ['GET', '/%', 400, null],
  ] as const) {
    const answer = await bed.ask(method, path);
    assert.equal(answer.status, status, `${method} ${path}`);
    assert.equal(answer.headers.get('allow'), allow, `${method} ${path}`);
    if (method !== 'HEAD') assert.equal(typeof answer.json.error.message, 'string', path);
  }
});

test('what is no HTTP is answered as an error in JSON, and the connection is closed', async () => {
  for (const [request, status] of [
    ['HELLO\r\n\r\n', 400],
    ['FROB /api/v1/devices HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: localhost\r\nx: a\rb\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const answer = await raw(request);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), request.slice(0, 60));
    assert.equal(typeof JSON.parse(answer.split('\r\n\r\n')[1]!).error.message, 'string');
  }
  const hostless = await raw('GET / HTTP/1.1\r\n\r\n');
  assert.match(hostless, /^HTTP\/1.1 400 /);
});

test('a failure inside is answered as such and no more, and the log has the rest', async () => {
  const { list } = bed.devices;
  bed.devices.list = () => {
    throw new Error('the secret inside');
  };
  const answer = await bed.ask('GET', '/api/v1/devices');
  bed.devices.list = list;
  assert.equal(answer.status, 500);
  assert.deepEqual(answer.json.error, {
    code: 'internal',
    message: 'something went wrong in the gateway: its log has more',
  });
  assert.ok(bed.log.some((line) => line.includes('the secret inside')));
});

/** All of an answer as it came. */
async function raw(request: string): Promise<string> {
  const socket = connect(bed.port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(request);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}
