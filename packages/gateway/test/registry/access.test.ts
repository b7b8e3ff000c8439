import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Logins } from '#dist/registry/logins.js';
import { Tokens } from '#dist/registry/tokens.js';
import { gatewayError, openRegistry, START } from './support.js';

const MINUTE = 60_000;

test('a token works until it expires or is removed, and the database does not have it', (t) => {
  const { storage, clock } = openRegistry(t);
  const tokens = new Tokens(storage, () => clock.now);
  const { token, facts } = tokens.create('grafana', 'read', START + 10 * MINUTE);
  assert.match(token, /^usmp_[\w-]{43}$/);
  assert.deepEqual(tokens.verify(token), { ...facts, usedAt: START });
  assert.equal(JSON.stringify(storage.prepare('SELECT * FROM tokens').all()).includes(token.slice(5)), false);
  clock.now += 10 * MINUTE;
  assert.equal(tokens.verify(token), undefined);
  const other = tokens.create('script', 'admin');
  assert.equal(tokens.verify(other.token)?.role, 'admin');
  assert.deepEqual(
    tokens.list().map(({ name }) => name),
    ['grafana', 'script'],
  );
  assert.equal(tokens.remove(other.facts.id), true);
  assert.equal(tokens.remove(other.facts.id), false);
  assert.equal(tokens.verify(other.token), undefined);
});

test('what is no token is none, whatever it looks like', (t) => {
  const { storage } = openRegistry(t);
  const tokens = new Tokens(storage);
  const { token } = tokens.create('script', 'admin');
  for (const wrong of [
    '',
    'usmp_',
    `${token} `,
    `x${token}`,
    token.slice(0, -1),
    `usmp_${'A'.repeat(43)}`,
    "' OR 1=1 --",
  ])
    assert.equal(tokens.verify(wrong), undefined);
});

test('the last use of a token is written once a minute', (t) => {
  const { storage, clock } = openRegistry(t);
  const tokens = new Tokens(storage, () => clock.now);
  const { token } = tokens.create('script', 'send');
  tokens.verify(token);
  clock.now += MINUTE - 1;
  assert.equal(tokens.verify(token)?.usedAt, START);
  clock.now += 1;
  assert.equal(tokens.verify(token)?.usedAt, START + MINUTE);
  assert.equal(tokens.list()[0]!.usedAt, START + MINUTE);
});

test('tokens without a name, of no role, or for the past are not made', (t) => {
  const { storage } = openRegistry(t);
  const tokens = new Tokens(storage);
  assert.throws(() => tokens.create('', 'read'), gatewayError('invalid', /name is empty/));
  assert.throws(
    () => tokens.create('x', 'root' as 'read'),
    gatewayError('invalid', /role must be one of read/),
  );
  assert.throws(() => tokens.create('x', 'read', 1), gatewayError('invalid', /a time to come/));
});

test('a login ticket works once, for ten minutes', (t) => {
  let now = START;
  const logins = new Logins(openRegistry(t).storage, () => now);
  const ticket = logins.createTicket('admin');
  const session = logins.redeem(ticket)!;
  assert.notEqual(session, ticket);
  assert.equal(logins.redeem(ticket), undefined);
  assert.equal(logins.verify(session), 'admin');
  assert.equal(logins.verify(ticket), undefined);
  logins.logout(session);
  assert.equal(logins.verify(session), undefined);
  const late = logins.createTicket('read');
  now += 10 * MINUTE;
  assert.equal(logins.redeem(late), undefined);
});

test('a browser session ends when it is not used for twelve hours, and after seven days in any case', (t) => {
  let now = START;
  const logins = new Logins(openRegistry(t).storage, () => now);
  const open = () => logins.redeem(logins.createTicket('read'))!;
  const [idle, busy] = [open(), open()];
  for (let hours = 0; hours < 7 * 24; hours += 6) {
    assert.equal(logins.verify(busy), 'read');
    now += 6 * 60 * MINUTE;
  }
  assert.equal(logins.verify(busy), undefined);
  assert.equal(logins.verify(idle), undefined);
});

test('tickets and browser sessions are bounded: the oldest give way', (t) => {
  const logins = new Logins(openRegistry(t).storage);
  const tickets = Array.from({ length: 101 }, () => logins.createTicket('read'));
  assert.equal(logins.redeem(tickets[0]!), undefined);
  const sessions = tickets.slice(1, 11).map((ticket) => logins.redeem(ticket)!);
  for (let n = 0; n < 1_000; n++) {
    assert.equal(logins.verify(sessions[0]!), 'read');
    logins.redeem(logins.createTicket('send'));
  }
  assert.equal(logins.verify(sessions[1]!), undefined);
});

test('a browser session goes on after a restart, and ends with the token it was opened with', (t) => {
  const { storage } = openRegistry(t);
  const tokens = new Tokens(storage);
  const first = new Logins(storage);
  const byLink = first.redeem(first.createTicket('send'))!;
  const { facts } = tokens.create('laptop', 'read');
  const byToken = first.open('read', facts.id);
  const ended = first.redeem(first.createTicket('admin'))!;
  first.logout(ended);

  const second = new Logins(storage);
  const roles = () => [byLink, byToken, ended].map((session) => second.verify(session));
  assert.deepEqual(roles(), ['send', 'read', undefined]);
  tokens.remove(facts.id);
  assert.deepEqual(roles(), ['send', undefined, undefined]);
  assert.equal(new Logins(storage).verify(byToken), undefined);
});
