/** What `usmp simulate` does, and says, when sessions end under it. */

import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { eventually } from '../server/live.js';
import { Command, KEY, serve } from './command.js';
import { echo, listen, relayTo } from './servers.js';

const DEVICES = 8;

const SERVE = ['--psk', KEY, '--echo', '--log-level', 'silent'];

/** A fleet that goes on until it is told to stop. */
function fleet(t: TestContext, url: string, ...args: string[]): Command {
  const devices = ['--devices', String(DEVICES), '--rate', '5', '--duration', '0'];
  return new Command(t, ['simulate', url, '--psk', KEY, ...devices, '--json', ...args]);
}

/** The server that was killed, once more. */
async function serveAgain(t: TestContext, url: string): Promise<void> {
  const server = new Command(t, ['serve', '--listen', url, ...SERVE]);
  await server.sees(/listening/);
}

/** Waits for progress after the present with so many devices connected, and something echoed. */
async function progress(command: Command, connected: number): Promise<void> {
  const seen = command.events.length;
  const isIt = ({ event, connected: now, echoed }: Record<string, unknown>) =>
    event === 'progress' && now === connected && Number(echoed) > 0;
  for (let events = command.events; !events.slice(seen).some(isIt); events = command.events) {
    await command.sees(new RegExp(`(?:.*\\n){${events.length + 1}}`));
  }
}

test('killing the server and starting it again loses no device', async (t) => {
  const first = await serve(t, SERVE);
  const command = fleet(t, first.url);
  await progress(command, DEVICES);
  first.server.kill('SIGKILL');
  await command.sees(/"event":"disconnected"/);
  await first.server.ended;
  await serveAgain(t, first.url);
  await progress(command, DEVICES);
  command.kill('SIGINT');
  const { code, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const summary = command.events.at(-1)!;
  const { connected, failed, endedEarly, returned, away, refused, lost, errors } = summary;
  assert.deepEqual(
    { connected, failed, endedEarly, returned, away, refused, lost },
    { connected: DEVICES, failed: 0, endedEarly: DEVICES, returned: DEVICES, away: 0, refused: 0, lost: 0 },
  );
  assert.equal((errors as Record<string, number>).connection_lost, DEVICES);
  assert.equal(Number(summary.sent), Number(summary.echoed) + Number(summary.interrupted));
  assert.deepEqual(Object.keys(summary.absence as object), ['min', 'p50', 'p90', 'p99', 'max']);
});

test('nor does killing it while devices still connect for the first time', async (t) => {
  const first = await serve(t, SERVE);
  const command = fleet(t, first.url, '--connect-rate', '10');
  await command.sees(/(?:"event":"connected"[\s\S]*){3}/);
  first.server.kill('SIGKILL');
  await command.sees(/"event":"failed"/);
  await first.server.ended;
  await serveAgain(t, first.url);
  await progress(command, DEVICES);
  command.kill('SIGINT');
  const { code, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const { connected, failed, away } = command.events.at(-1)!;
  assert.deepEqual({ connected, failed, away }, { connected: DEVICES, failed: 0, away: 0 });
});

test('devices that did not come back are exit code 1, with the reason', async (t) => {
  const { server, url } = await serve(t, SERVE);
  const command = fleet(t, url);
  await progress(command, DEVICES);
  server.kill('SIGKILL');
  await progress(command, 0);
  command.kill('SIGINT');
  const { code, stderr } = await command.ended;
  assert.equal(code, 1);
  assert.match(stderr, /^usmp: 8 devices did not come back: (?:cannot connect to|the connection broke) /);
  assert.equal(command.events.at(-1)!.away, DEVICES);
});

test('a session that ended by a mistake of the server is exit code 1, also when the device is back', async (t) => {
  const relay = await relayTo(t, await listen(t, echo));
  const command = fleet(t, relay.url);
  await progress(command, DEVICES);
  relay.spoil();
  await command.sees(/"disconnected".*"bad_magic"/);
  await progress(command, DEVICES);
  command.kill('SIGINT');
  const { code, stderr } = await command.ended;
  assert.equal(code, 1);
  assert.match(stderr, /^usmp: 8 sessions ended early, the first because: the bytes are not a USMP frame/);
});

test('without --json the summary has a line for those that came back', async (t) => {
  /** Of which both sides know: a line that is cut before looks like a refusal, after which devices wait for long. */
  let sessions = 0;
  const url = await listen(t, async (session) => {
    await session.send(await session.recv());
    sessions++;
    await echo(session);
  });
  const relay = await relayTo(t, url);
  const command = new Command(t, ['simulate', relay.url, '--psk', KEY, '--devices', '3', '--duration', '0']);
  await eventually(() => sessions === 3, 'all devices');
  relay.cut();
  await eventually(() => sessions === 6, 'all devices again');
  command.kill('SIGINT');
  const { code, stdout } = await command.ended;
  assert.equal(code, 0);
  assert.match(stdout, /^returned: 3 of 3, 0 still away, 0 refused; \d+ messages were under way$/m);
  assert.match(stdout, /^away min\/p50\/p90\/p99\/max = (?:\d+\.\d{3}\/){4}\d+\.\d{3} ms$/m);
});
