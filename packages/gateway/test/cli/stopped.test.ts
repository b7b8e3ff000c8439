import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import type { DeviceFacts, KeyedDevice } from '#dist/cli/answers.js';
import { openRegistry } from '../registry/support.js';
import { answerOf, run, runAll, temporaryFolder } from './command.js';

const ID = '02:00:00:00:00:01';
const KEY = 'a key for tests, 16+';

test('the first device makes the data folder, and its key is shown once with lines to paste', async (t) => {
  const cwd = temporaryFolder(t);
  const added = await run(t, ['device', 'add', '--name', 'lamp', '--tag', 'kitchen', '--tag', 'hall'], {
    cwd,
  });
  assert.equal(added.code, 0, added.stderr);
  const folder = path.join(cwd, 'usmp-gateway-data');
  assert.equal(added.stderr, `usmp-gateway: made the data folder ${folder}\n`);
  for (const name of ['gateway.db', 'master.key'])
    assert.equal(statSync(path.join(folder, name)).mode & 0o777, 0o600, name);
  const [, id, key] =
    /^ {2}id {4}(\S+)\n {2}name {2}lamp\n {2}tags {2}hall kitchen\n {2}key {3}([\w-]{32})$/m.exec(
      added.stdout,
    )!;
  assert.ok(
    added.stdout.includes(`\n  USMP_PSK=${key} npx usmp connect tcp://127.0.0.1:9000 --device-id ${id}\n`),
    added.stdout,
  );
  assert.match(
    added.stdout,
    /\n {2}TOKEN=\$\(npx usmp-gateway token add --name me --role send --quiet\)\n {2}curl -H "Authorization: Bearer \$TOKEN" .* http:\/\/127\.0\.0\.1:8080\/api\/v1\/devices\/lamp\/messages\n/,
  );
  // Neither as an argument of anything that was printed, nor twice.
  assert.deepEqual(added.stdout.split('\n').filter((line) => line.includes(key!)).length, 2);
  const files = readdirSync(folder).map((name) => readFileSync(path.join(folder, name), 'latin1'));
  assert.ok(!files.join().includes(key!));
});

test('a stopped gateway is worked on as a running one', async (t) => {
  const data = temporaryFolder(t);
  const on = (...args: string[]) => [...args, '--data', data];
  const outcomes = await runAll(t, [
    on('device', 'add', '--name', 'lamp', '--id', ID, '--note', 'by the door', '--json'),
    on('device', 'add', '--name', 'Fan', '--tag', 'hall'),
    on('device', 'tag', 'lamp', '+kitchen', '+hall', '-home'),
    on('device', 'tag', 'lamp', '-kitchen', '--json'),
    on('device', 'rename', ID, 'light'),
    on('device', 'note', 'light', 'two\nlines'),
    on('device', 'disable', 'light'),
    on('device', 'list'),
    on('device', 'list', '--disabled', '--json'),
    on('device', 'enable', 'light'),
    on('device', 'show', 'light'),
    on('device', 'list', '--limit', '1', '--descending'),
    on('send', 'light', 'hello'),
    on('send', 'light', '--json-body', '{"on": true}', '--expires-in', '10m', '--json'),
    on('message', 'list', 'light'),
    on('message', 'cancel', '1', '--json'),
    on('events', '--limit', '2'),
    on('status', '--json'),
    on('device', 'remove', 'fan', '--yes'),
    on('refused', 'list'),
  ]);
  const [added, , tagged, untagged, renamed, noted, disabled, list, onlyDisabled] = outcomes;
  assert.equal(answerOf<KeyedDevice>(added!).device.id, ID);
  assert.equal(tagged!.stdout, 'lamp has the tags hall kitchen\n');
  assert.deepEqual(answerOf<DeviceFacts>(untagged!).tags, ['hall']);
  assert.equal(renamed!.stdout, `${ID} is called light now\n`);
  assert.equal(noted!.stdout, 'light has a new note\n');
  assert.equal(disabled!.code, 0);
  assert.match(
    list!.stdout,
    /^NAME {3}ID {17}STATE {5}SEEN {2}ADDRESS {2}TAGS\nFan {4}02:\S+ {2}offline {3}- {5}- {8}hall\nlight {2}02:00:00:00:00:01 {2}disabled {2}- {5}- {8}hall\n$/,
  );
  assert.equal(answerOf<{ total: number }>(onlyDisabled!).total, 1);
  const [enabled, shown, first, sent, sentJSON, messages, cancelled, events, status, removed, refused] =
    outcomes.slice(9);
  assert.equal(enabled!.stdout, 'light is enabled\n');
  assert.match(shown!.stdout, /^note {6}two\n {10}lines$/m);
  assert.match(shown!.stdout, /^keys {6}[0-9a-f]{16} {2}made (now|\d+ s ago), never used$/m);
  assert.deepEqual(first!.stdout.match(/^light/gm), ['light']);
  assert.equal(first!.stderr, 'usmp-gateway: 1 of 2 devices: --all lists all\n');
  assert.match(
    sent!.stdout,
    /^message \d+ to light: queued; it leaves when the gateway runs and the device is connected\n$/,
  );
  const { message } = answerOf<{ message: { json: unknown; state: string } }>(sentJSON!);
  assert.deepEqual([message.json, message.state], [{ on: true }, 'queued']);
  assert.match(
    messages!.stdout,
    /to {2}light {3}queued {2}\{"on":true\}\n.*to {2}light {3}queued {2}hello\n$/,
  );
  assert.equal(JSON.parse(cancelled!.stdout).error.code, 'not_found');
  assert.equal(cancelled!.code, 1);
  assert.match(events!.stdout, /message {9}light {14}to the device, queued: hello\n.*\{"on":true\}\n$/);
  assert.equal(status!.code, 4);
  assert.deepEqual(JSON.parse(status!.stdout).reasons, ['the gateway is stopped']);
  assert.equal(removed!.stdout, 'Fan is removed\n');
  assert.equal(refused!.stdout, 'nobody was turned away\n');
});

test('mistakes are told with what to do, and change nothing', async (t) => {
  const data = temporaryFolder(t);
  const nowhere = path.join(data, 'nowhere');
  const table = path.join(data, 'devices.csv');
  writeFileSync(table, 'name,tags\nlamp,\nLAMP,\n,kitchen\n');
  const on = (...args: string[]) => [...args, '--data', data];
  const outcomes = await runAll(t, [
    on('device', 'add', '--name', 'lamp'),
    on('device', 'show', 'lmap'),
    on('device', 'rotate', 'nothing like it', '--json'),
    on('device', 'add', '--name', 'Lamp'),
    on('device', 'add', '--id', 'lamp', '--json'),
    on('device', 'import', table),
    on('device', 'import', path.join(data, 'none.csv')),
    on('device', 'remove', 'lamp'),
    on('device', 'tag', 'lamp', 'kitchen'),
    on('device', 'tag', 'lamp', '--colour'),
    on('device', 'rotate', 'lamp', '--until', '2020-01-01'),
    on('send', 'lamp'),
    on('send', 'lamp', 'x', '--wait'),
    on('device', 'add', '--key', KEY),
    ['device', 'list', '--url', 'https://127.0.0.1:1', '--data', data],
    ['device', 'list', '--url', 'https://127.0.0.1:1'],
    ['device', 'list', '--token-file', table],
    ['device', 'list', '--data', nowhere],
    ['send', 'lamp', 'hello', '--json', '--data', nowhere],
    on('session', 'list'),
    on('login-link'),
    on('events', '--follow'),
    on('device', 'list', '--json'),
  ]);
  const told = outcomes.map(({ code, stderr, stdout }) => [code, stderr || stdout] as const);
  const expected: [number, RegExp][] = [
    [0, /./],
    [1, /^usmp-gateway: there is no device "lmap": did you mean lamp\?\n$/],
    [1, /"message": "there is no device \\"nothing like it\\": usmp-gateway device list shows all"/],
    [1, /^usmp-gateway: the name "Lamp" belongs to 02:/],
    [2, /"code": "invalid",\n.*not a device id/],
    [2, /^usmp-gateway: nothing was imported\n(line [34]: .*\n){2,}$/],
    [2, /^usmp-gateway: cannot read .*none\.csv: no such file or folder\n$/],
    [2, /give --yes/],
    [2, /^usmp-gateway: kitchen: write \+TAG to add a tag, -TAG to remove it\n$/],
    [2, /^usmp-gateway: --colour: /],
    [2, /Is over; must be a date like/],
    [2, /give exactly one of TEXT, /],
    [4, /no gateway runs on/],
    // Keys are no arguments: everybody on the machine sees those.
    [2, /unknown option '--key'/],
    [2, /cannot be used with/],
    [2, /no token: set USMP_GATEWAY_TOKEN, or give --token-file FILE/],
    [2, /--token-file is for --url/],
    [4, /^usmp-gateway: there is no gateway in \S+nowhere: name its folder by --data, /],
    [4, /"code": "unreachable"/],
    [4, /^usmp-gateway: no gateway runs on \S+: start it with usmp-gateway start\n$/],
    [4, /no gateway runs on/],
    [4, /no gateway runs on/],
    [0, /"total": 1\n/],
  ];
  for (const [index, [code, pattern]] of expected.entries()) {
    assert.match(told[index]![1], pattern);
    assert.equal(told[index]![0], code, told[index]![1]);
  }
  assert.ok(!existsSync(nowhere));
  for (const [, text] of told.slice(1)) assert.ok(!text.includes(KEY) && !/\n\s+at /.test(text), text);
});

test('keys come from files or standard input, go into files that only their owner reads, and are never repeated', async (t) => {
  const data = temporaryFolder(t);
  const file = (name: string) => path.join(data, name);
  writeFileSync(file('given.txt'), `${KEY}\n`, { mode: 0o644 });
  writeFileSync(file('short.txt'), 'short\n', { mode: 0o600 });
  writeFileSync(file('precious'), 'precious');
  const on = (...args: string[]) => [...args, '--data', data];
  // Before the others: on a busy machine it could hold the folder for longer than they wait.
  const piped = await run(t, on('device', 'add', '--name', 'piped', '--key-stdin', '--json'), {
    input: 'hex:000102030405060708090a0b0c0d0e0f',
  });
  const [given, short, missing, added, kept, arduino, esp, all, rotated, unknown] = await runAll(t, [
    on('device', 'add', '--name', 'lamp', '--id', ID, '--key-file', file('given.txt')),
    on('device', 'add', '--name', 'x', '--key-file', file('short.txt')),
    on('device', 'add', '--name', 'x', '--key-file', file('missing.txt')),
    on('device', 'add', '--name', 'fan', '--out', file('fan.txt')),
    on('device', 'rotate', 'fan', '--out', file('precious')),
    on('device', 'add', '--name', 'a', '--format', 'arduino'),
    on('device', 'add', '--name', 'e', '--format', 'esp-idf', '--out', file('nvs.csv')),
    on('device', 'rotate', 'lamp', '--format', 'all'),
    on('device', 'rotate', 'lamp', '--until', '7d', '--json'),
    on('device', 'rotate', 'nobody', '--out', file('nobody.txt')),
  ]);
  assert.equal(given!.code, 0);
  assert.match(
    given!.stderr,
    /^usmp-gateway: warning: .*given\.txt can be read by every user of this machine: chmod 600 it\n/,
  );
  assert.match(given!.stdout, /^ {2}key {3}as given$/m);
  assert.match(given!.stdout, /npx usmp connect \S+ --device-id \S+ --psk-file \S+given\.txt\n/);
  assert.ok(!given!.stdout.includes(KEY));
  assert.deepEqual([short!.code, missing!.code], [2, 2]);
  assert.match(short!.stderr, /short\.txt is 5 bytes, at least 16\n$/);
  const fanKey = readFileSync(file('fan.txt'), 'utf8');
  assert.match(fanKey, /^[\w-]{32}\n$/);
  assert.equal(statSync(file('fan.txt')).mode & 0o777, 0o600);
  assert.ok(!added!.stdout.includes(fanKey.trim()));
  assert.deepEqual([kept!.code, readFileSync(file('precious'), 'utf8')], [1, 'precious']);
  assert.match(kept!.stderr, /it exists already; choose another name\n$/);
  assert.match(arduino!.stdout, /^#include <USMP\.h>\n[\s\S]*USMPClient usmp\("[\w-]{32}"\);/);
  assert.match(esp!.stdout, /^e is registered\.\n/);
  assert.match(
    readFileSync(file('nvs.csv'), 'utf8'),
    /^key,type,encoding,value\nusmp,namespace,,\npsk,data,hex2bin,[0-9a-f]{64}\n$/,
  );
  for (const part of [/█|▀|▄/, /#include <USMP\.h>/, /psk,data,hex2bin,/]) assert.match(all!.stdout, part);
  const { device, key } = answerOf<KeyedDevice>(rotated!);
  assert.match(key!, /^[\w-]{32}$/);
  // The one that was never used is replaced; the given one is still valid.
  assert.equal(device.keys.length, 2);
  assert.ok(Date.parse(device.keys[1]!.expiresAt!) > Date.now());
  assert.equal(unknown!.code, 1);
  assert.ok(!existsSync(file('nobody.txt')));
  assert.equal(answerOf<KeyedDevice>(piped).key, null);
  const { devices } = openRegistry(t, data);
  assert.deepEqual(
    Buffer.from(devices.keysOf(devices.require('piped').id)[0]!).toString('hex'),
    '000102030405060708090a0b0c0d0e0f',
  );
  assert.deepEqual(
    devices.keysOf(ID).map((bytes) => Buffer.from(bytes).toString()),
    [key, KEY],
  );
});

test('what is exported is imported elsewhere, and survives another master key; tokens are made and ended', async (t) => {
  const [from, to] = [temporaryFolder(t), temporaryFolder(t)];
  const table = path.join(from, 'devices.csv');
  const token = path.join(from, 'token');
  const on = (data: string, ...args: string[]) => [...args, '--data', data];
  const outcomes = await runAll(t, [
    on(from, 'device', 'add', '--name', 'lamp', '--id', ID, '--tag', 'hall', '--json'),
    on(from, 'device', 'export', '--keys', '--out', table),
    on(from, 'device', 'export'),
    on(from, 'device', 'revoke', 'lamp'),
    on(to, 'device', 'import', table),
    on(to, 'device', 'import', table, '--json'),
    on(to, 'master-key', 'rotate'),
    on(from, 'token', 'list'),
    on(from, 'token', 'add', '--name', 'me', '--role', 'send', '--quiet'),
    on(from, 'token', 'add', '--name', 'ci', '--role', 'read', '--expires', '90d', '--out', token),
    on(from, 'token', 'list'),
    on(from, 'token', 'remove', 'abc'),
    on(from, 'token', 'add', '--name', 'x', '--role', 'boss'),
  ]);
  const [
    added,
    exported,
    plain,
    revoked,
    imported,
    again,
    sealed,
    noTokens,
    quiet,
    toFile,
    tokens,
    none,
    boss,
  ] = outcomes;
  const { key } = answerOf<KeyedDevice>(added!);
  assert.equal(exported!.stdout, `wrote ${table}\n`);
  assert.equal(statSync(table).mode & 0o777, 0o600);
  assert.ok(readFileSync(table, 'utf8').includes(key!));
  assert.equal(plain!.stdout, `id,name,note,tags,enabled\n${ID},lamp,,hall,true\n`);
  assert.match(revoked!.stdout, /^lamp has no key any more/);
  assert.equal(imported!.stdout, '1 device added, 0 changed\n');
  assert.deepEqual(answerOf(again!), { added: 0, updated: 1 });
  assert.equal(sealed!.stdout, '1 key of devices sealed under the new master key\n');
  assert.match(noTokens!.stdout, /^no tokens yet: /);
  assert.match(quiet!.stdout, /^usmp_[\w-]{43}\n$/);
  assert.match(readFileSync(token, 'utf8'), /^usmp_[\w-]{43}\n$/);
  assert.match(toFile!.stdout, /role read\. It expires in 90 days|role read\. It expires \d{4}-/);
  assert.match(
    tokens!.stdout,
    /^ID {12}NAME {2}ROLE {2}MADE +USED {2}EXPIRES\n\S+ {2}me {4}send .* never\n\S+ {2}ci {4}read .*\n$/,
  );
  assert.equal(none!.code, 1);
  assert.equal(boss!.code, 2);
  const { devices } = openRegistry(t, to);
  assert.deepEqual(
    devices.keysOf(ID).map((bytes) => Buffer.from(bytes).toString()),
    [key],
  );
});
