/** A disk that is full, and then not any more. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { USMPClient } from 'usmp';
import { type Answer, GatewayProcess, temporaryFolder, until } from './gateway-process.js';

const LAMP = '02:00:00:00:00:01';
const AWAY = '02:00:00:00:00:02';

/** Room for a start and a few hundred messages. Bytes. */
const ROOM = 1_024 * 1_024;

/** Of each message, so that there are not too many. Bytes. */
const SIZE = 1_500;

interface Disk {
  readonly name: string;
  /** A command in front of the gateway. */
  through(folder: string): readonly string[];
  readonly ownMounts?: boolean;
  /** Takes what little room is left. */
  fillUp(gateway: GatewayProcess): void;
  makeRoom(gateway: GatewayProcess): void;
  /** How a message is answered that does not fit, and what the answer says. */
  readonly status: number;
  readonly says: RegExp;
}

/** In a mount namespace of its own, which nothing outlives; needs to be root, or namespaces for everybody. */
function tmpfs(unshare: readonly string[]): Disk {
  const script = `mount -t tmpfs -o size=${2 * ROOM} tmpfs "$1" && head -c ${ROOM} /dev/zero > "$1/ballast" && shift && exec "$@"`;
  return {
    name: 'a file system without room',
    through: (folder) => [...unshare, 'sh', '-c', script, 'sh', folder],
    ownMounts: true,
    fillUp: (gateway) =>
      assert.throws(() => appendFileSync(gateway.file('ballast'), Buffer.alloc(2 * ROOM)), {
        code: 'ENOSPC',
      }),
    makeRoom: (gateway) => rmSync(gateway.file('ballast')),
    status: 507,
    says: /the disk of the data folder is full: make room/,
  };
}

/** For everybody: files that must not grow, as with a quota. */
const LIMITED: Disk = {
  name: 'files that must not grow',
  through: () => ['prlimit', `--fsize=${ROOM}:`],
  fillUp: () => {},
  makeRoom: ({ child }) => {
    const { status, stderr } = spawnSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited:']);
    assert.equal(status, 0, String(stderr));
  },
  status: 503,
  says: /the database cannot be used: /,
};

function fullFileSystem(): Disk | undefined {
  const found = [
    ['unshare', '-m'],
    ['unshare', '-rm'],
  ].find(
    ([command, ...args]) =>
      spawnSync(command!, [...args, 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp'], { stdio: 'ignore' }).status ===
      0,
  );
  return found && tmpfs(found);
}

const disks = [LIMITED];
const full = process.platform === 'linux' ? fullFileSystem() : undefined;
if (full !== undefined) disks.push(full);
else
  console.error(
    'A file system without room cannot be mounted here: only files that must not grow are tried.',
  );

for (const disk of disks)
  test(`${disk.name}: what is acknowledged is kept, the rest is answered or held back, and it goes on with room`, {
    skip: process.platform !== 'linux' && 'it needs Linux',
  }, async (t) => {
    const folder = temporaryFolder(t);
    const gateway = await GatewayProcess.start(t, {
      folder,
      through: disk.through(folder),
      ownMounts: disk.ownMounts ?? false,
    });
    const psk = await gateway.addDevice(LAMP);
    await gateway.addDevice(AWAY);
    const lamp = new USMPClient({ url: gateway.url('tcp'), psk, deviceId: LAMP });
    t.after(() => lamp.disconnect());
    const session = await lamp.connect();

    const fill = (number: number) =>
      gateway.call('POST', `/api/v1/devices/${AWAY}/messages`, { text: `${number} ${'x'.repeat(SIZE)}` });
    let acknowledged = 0;
    let refused: Answer;
    for (;;) {
      const answer = await fill(acknowledged + 1);
      if (answer.status !== 202) {
        refused = answer;
        break;
      }
      acknowledged++;
      // There are more than one outbox takes.
      if (acknowledged % 50 === 0) await gateway.expect(200, 'DELETE', `/api/v1/devices/${AWAY}/outbox`);
    }
    assert.equal(refused.status, disk.status, JSON.stringify(refused.body));
    assert.match(refused.body.error.message, disk.says);
    disk.fillUp(gateway);
    const readiness = await until('/readyz says so', async () => {
      const { status, body } = await gateway.call('GET', '/readyz');
      return status === 503 && body;
    });
    assert.match(readiness.reasons.join(), disk.says);
    assert.equal((await gateway.call('GET', '/healthz')).status, 200, 'a restart would not help');

    // The device goes on until its line is full; nothing of that is lost.
    const total = 200;
    const sent = (async () => {
      for (let number = 1; number <= total; number++) await session.send(`up ${number} ${'y'.repeat(SIZE)}`);
    })();
    sent.catch(() => {});
    // What a failed transaction has taken of the disk is room for a small one: that counts, too.
    const late = '02:00:00:00:00:03';
    const added = await gateway.call('POST', '/api/v1/devices', { id: late });
    if (added.status !== 201) assert.equal(added.status, disk.status, JSON.stringify(added.body));
    const message = await fill(acknowledged + 1);
    if (message.status === 202) acknowledged++;
    else assert.equal(message.status, disk.status);
    assert.equal(gateway.isRunning, true);

    disk.makeRoom(gateway);
    await until('it is ready again', async () => (await gateway.call('GET', '/readyz')).status === 200);
    assert.equal((await fill(acknowledged + 1)).status, 202);
    acknowledged++;
    await sent;
    const messages = await until('what was held back is stored', async () => {
      const all = await gateway.messages();
      return all.filter(({ direction }) => direction === 'in').length === total && all;
    });
    const numbers = (direction: string, place: number) =>
      messages
        .filter((message) => message.direction === direction)
        .map(({ text }) => Number(text!.split(' ')[place]));
    assert.deepEqual(
      numbers('in', 1),
      Array.from({ length: total }, (_, index) => index + 1),
    );
    assert.deepEqual(
      numbers('out', 0),
      Array.from({ length: acknowledged }, (_, index) => index + 1),
    );
    const told = (await gateway.events())
      .map(({ type }) => type)
      .filter((type) => type.startsWith('storage'));
    assert.match(told.join(' '), /^(storage-failed storage-recovered ?)+$/);
    if (added.status === 201) await gateway.expect(200, 'GET', `/api/v1/devices/${late}`);
    assert.equal(lamp.session, session, 'the session has lived through it');
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  });
