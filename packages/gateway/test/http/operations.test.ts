import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, test } from 'node:test';
import { GatewayError } from '#dist/errors.js';
import { type Answer, type Bed, openBed } from './bed.js';
import { checkAnswer, operationIds, operationOf } from './document.js';
import { pathOf, type Request, SCENARIOS } from './scenarios.js';

/** Beyond what bodies may have, as the bed is set up. Bytes. */
const TOO_MUCH = 300_000;

const tidy: (() => unknown)[] = [];
let bed: Bed;

before(async () => {
  bed = await openBed(
    { after: (undo: () => unknown) => void tidy.push(undo) },
    {
      http: { bodyLimit: 200_000 },
      streams: { streams: 2 },
    },
  );
});
after(() => Promise.all(tidy.map((undo) => undo())));

test('there is a scenario for every operation', () => {
  assert.deepEqual(Object.keys(SCENARIOS).toSorted(), operationIds.toSorted());
});

for (const id of operationIds) {
  test(`${id} answers what the OpenAPI file says, in success and in every error it documents`, async () => {
    const { responses } = operationOf(id);
    const success = Object.keys(responses).find((status) => status < '400')!;
    await expect(id, Number(success), await SCENARIOS[id]!.good(bed));
    for (const status of Object.keys(responses)
      .map(Number)
      .filter((other) => other >= 400))
      await provoke(id, status);
  });
}

/** By what the scenario has, or by what every operation of its kind takes amiss. */
async function provoke(id: string, status: number): Promise<void> {
  const { good, errors = {} } = SCENARIOS[id]!;
  const special = errors[status];
  if (special !== undefined) {
    await expect(id, status, await special(bed));
    Object.assign(bed.readinessNow, { ready: true, reasons: [] });
    bed.fleet.answers = true;
    // A body that is too long, too many requests: beside what the operation itself does not take.
    if (status !== 413 && status !== 429 && status !== 400) return;
  }
  const request = await good(bed);
  if (status === 400) return expect(id, 400, { ...request, query: { ...request.query, nonsense: '1' } });
  if (status === 401) return expectUnauthorized(id, request);
  if (status === 403) return expectForbidden(id, request);
  if (status === 413)
    return expect(id, 413, { ...request, body: 'x'.repeat(TOO_MUCH), type: 'text/csv' }, true);
  if (status === 415) return expect(id, 415, { ...request, body: '<a/>', type: 'application/xml' });
  if (status === 429) return withLimit(0, () => expect(id, 429, request));
  if (status === 503) return withFailure('unavailable', () => expect(id, 503, request));
  if (status === 507) return withFailure('storage_full', () => expect(id, 507, request));
  assert.fail(`nobody knows how ${id} comes to answer ${status}`);
}

async function expect(id: string, status: number, request: Request, asItsOwnType = false): Promise<void> {
  const { method, path, requestBody } = operationOf(id);
  const type = asItsOwnType
    ? (Object.keys(requestBody?.content ?? {})[0] ?? 'application/json')
    : request.type;
  const typed = type === undefined ? request : { ...request, type };
  const answer =
    id === 'streamEvents' && status === 200
      ? await firstOfStream(pathOf(path, request), request)
      : await bed.ask(method, pathOf(path, request), typed);
  assert.equal(answer.status, status, `${id}: ${answer.text.slice(0, 300)}`);
  checkAnswer(id, answer);
  if (status === 429 && id !== 'sendMessage')
    assert.match(answer.headers.get('retry-after') ?? '', /^[1-9][0-9]?$/);
}

async function expectUnauthorized(id: string, request: Request): Promise<void> {
  const { method, path } = operationOf(id);
  // Metrics need no token on this machine; a wrong one is refused all the same.
  const as = id === 'getMetrics' ? { token: 'garbage' } : null;
  const answer = await bed.ask(method, pathOf(path, request), { ...request, as });
  assert.equal(answer.status, 401, id);
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer realm=/);
  checkAnswer(id, answer);
}

/** A name that was made to point to this machine. `fetch` does not let its user say another one. */
async function expectForbidden(id: string, request: Request): Promise<void> {
  const { method, path } = operationOf(id);
  const answer = await new Promise<Answer>((resolve, reject) => {
    const headers = { host: 'attacker.example', authorization: `Bearer ${bed.secrets.admin}` };
    httpRequest(bed.url + pathOf(path, request), { method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const got = new Headers({ 'content-type': response.headers['content-type'] ?? '' });
        resolve({ status: response.statusCode!, headers: got, text, json: JSON.parse(text) });
      });
    })
      .on('error', reject)
      .end();
  });
  assert.equal(answer.status, 403, `${id}: ${answer.text}`);
  checkAnswer(id, answer);
}

async function firstOfStream(path: string, { headers = {} }: Request): Promise<Answer> {
  const stop = new AbortController();
  const response = await fetch(bed.url + path, {
    headers: { authorization: `Bearer ${bed.secrets.read}`, ...headers },
    signal: stop.signal,
  });
  const { value } = await response.body!.getReader().read();
  stop.abort();
  const text = Buffer.from(value ?? []).toString();
  return { status: response.status, headers: response.headers, text, json: undefined };
}

async function withLimit(rateLimit: number, work: () => Promise<void>): Promise<void> {
  const { current } = bed.config;
  bed.config.current = { ...current, http: { ...current.http, rateLimit } };
  await work().finally(() => {
    bed.config.current = current;
  });
}

/** While no transaction can be made. */
async function withFailure(code: 'unavailable' | 'storage_full', work: () => Promise<void>): Promise<void> {
  bed.queue.flush();
  bed.storage.transaction = () => {
    throw new GatewayError(code, 'the disk is full');
  };
  await work().finally(() => {
    delete (bed.storage as { transaction?: unknown }).transaction;
    bed.queue.flush();
  });
}
