import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Command, CommanderError } from 'commander';
import { addConfigCommand } from '#dist/cli/config-command.js';
import { problemsOfFiles } from '#dist/config/named-files.js';
import { OPTIONS } from '#dist/config/options.js';
import { effective, template } from '#dist/config/write.js';
import { makeBed } from './bed.js';
import { CERTIFICATE, PRIVATE_KEY } from './certificate.js';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `usmp-gateway config …` within this process. */
async function run(...args: readonly string[]): Promise<Outcome> {
  let [out, err] = ['', ''];
  const program = new Command('usmp-gateway').exitOverride().configureOutput({
    writeOut: (text) => {
      out += text;
    },
    writeErr: (text) => {
      err += text;
    },
  });
  addConfigCommand(program);
  try {
    await program.parseAsync(['config', ...args], { from: 'user' });
    return { code: 0, out, err };
  } catch (error) {
    if (error instanceof CommanderError) return { code: error.exitCode, out, err };
    throw error;
  }
}

test('init writes a file that changes nothing, and never over one that is there', async (t) => {
  const bed = makeBed(t);
  const file = join(bed.folder, 'gateway.toml');
  const { code, out } = await run('init', file);
  assert.deepEqual([code, out], [0, `wrote ${file}: all options, with their defaults\n`]);
  assert.deepEqual(bed.load().config, makeBed(t).load({ cwd: bed.folder, file }).config);
  assert.deepEqual(new Set(bed.load().origins.values()), new Set(['default']));

  bed.write('gateway.toml', 'mine');
  const again = await run('init', file);
  assert.equal(again.code, 2);
  assert.match(again.err, /is there already/);
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  const nowhere = join(bed.folder, 'no', 'gateway.toml');
  assert.equal((await run('init', nowhere)).code, 2);
  assert.equal(existsSync(nowhere), false);
  assert.equal((await run('init', '-')).out, template());
});

test('the template has every option, and each line that is uncommented says what was so before', (t) => {
  const bed = makeBed(t);
  const before = bed.load().config;
  bed.write('gateway.toml', template().replace(/^#(?=[a-z_]+ = )/gm, ''));
  const { config, origins } = bed.load();
  assert.deepEqual(config, before);
  for (const { path } of OPTIONS) assert.match(origins.get(path)!, /^gateway\.toml:\d+$/, path);
  for (const line of template().split('\n')) assert.ok(line.length <= 110, line);
});

test('check says in a line that nothing is wrong, or all that is, with exit code 2', async (t) => {
  const bed = makeBed(t);
  const file = bed.write('a.toml', '[log]\nlevel = "debug"\n');
  const good = await run('check', file);
  assert.deepEqual(good, {
    code: 0,
    out: `${file}, given by --config: nothing is wrong with the configuration\n`,
    err: '',
  });
  bed.write('a.toml', '[log]\nlevel = 1\nfromat = "json"\n');
  const bad = await run('check', '--config', file, '--sessions-max', '0');
  assert.equal(bad.code, 2);
  assert.equal(bad.out, '');
  assert.deepEqual(
    bad.err
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(`${file}:`, '').slice(0, 14)),
    ['2: log.level: ', '3: log.fromat:', '--sessions-max'],
  );
  assert.equal((await run('check', file, '--config', file)).code, 2);
});

test('with --json init and check answer in JSON, and so do their errors', async (t) => {
  const bed = makeBed(t);
  const file = join(bed.folder, 'a.toml');
  const answer = async (code: number, ...args: string[]) => {
    const ended = await run(...args, '--json');
    assert.deepEqual([ended.code, ended.err], [code, '']);
    return JSON.parse(ended.out);
  };
  assert.deepEqual(await answer(0, 'init', file), { file });
  assert.match((await answer(2, 'init', file)).error.message, /is there already/);
  assert.equal((await answer(2, 'init', '-')).error.code, 'invalid');
  assert.deepEqual(await answer(0, 'check', file), { file, warnings: [] });
  bed.write('a.toml', '[log]\nlevel = 1\nfromat = "json"\n');
  for (const command of ['check', 'show']) {
    const { error } = await answer(2, command, file);
    assert.equal(error.code, 'invalid');
    assert.deepEqual(error.message.split('\n').length, 2);
  }
});

test('check reads the files of TLS, and says which of them is wrong', async (t) => {
  const bed = makeBed(t);
  const cert = bed.write('c.pem', CERTIFICATE);
  const key = bed.write('k.pem', PRIVATE_KEY);
  const file = bed.write('a.toml', '[http]\ntls_cert = "c.pem"\ntls_key = "k.pem"\n');
  assert.equal((await run('check', file)).code, 0);

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  bed.write('k.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const other = await run('check', file);
  assert.equal(other.code, 2);
  assert.equal(
    other.err,
    `${file}:3: http.tls_key: ${key} is not the private key of ${cert}, in PEM without a passphrase\n`,
  );
  bed.write('c.pem', 'no certificate');
  assert.match(
    (await run('check', file)).err,
    /a\.toml:2: http\.tls_cert: .*c\.pem is no certificate in PEM/,
  );
  assert.match(
    (await run('check', file, '--http-tls-key', join(bed.folder, 'none'))).err,
    /^--http-tls-key: http\.tls_key: .*none cannot be read: there is no such file$/m,
  );
});

test('a certificate that has expired is told', (t) => {
  const bed = makeBed(t);
  const flags = { httpTlsCert: bed.write('c.pem', CERTIFICATE), httpTlsKey: bed.write('k.pem', PRIVATE_KEY) };
  assert.deepEqual(problemsOfFiles(bed.load({ flags })), []);
  assert.match(problemsOfFiles(bed.load({ flags }), Date.parse('2200-01-01')).join(), /has expired/);
});

test('show prints what is in force and where it is from, as a file that means the same', async (t) => {
  const bed = makeBed(t);
  const file = bed.write(
    'a.toml',
    'data = "my \\"data\\" ü"\n[http]\nurl = "https://x.example/"\n[sessions]\nmax_per_address = 7\nidle_timeout = "90s"\n',
  );
  const { code, out } = await run('show', file, '--listen', 'tcp://127.0.0.1:0', '--listen', 'memory:x');
  assert.equal(code, 0);
  assert.match(out, /^# .*a\.toml, given by --config\n/);
  assert.match(out, /^# from --listen\nlisten = \["tcp:\/\/127\.0\.0\.1:0", "memory:x"\]$/m);
  assert.match(out, /^# from .*a\.toml:5\nmax_per_address = 7$/m);
  assert.match(out, /^# from default\nmax = 20000$/m);
  assert.match(out, /^idle_timeout = "90s"$/m);

  bed.write('b.toml', out);
  const loaded = bed.load({ file, flags: { listen: ['tcp://127.0.0.1:0', 'memory:x'] } });
  assert.deepEqual(bed.load({ file: 'b.toml' }).config, loaded.config);
  assert.equal(effective(loaded), out);
});

test('show --json gives value and origin of every option', async (t) => {
  const bed = makeBed(t);
  const file = bed.write('a.toml', '[history]\nmax_bytes = "64MiB"\n');
  const shown = JSON.parse((await run('show', file, '--json', '--history-enabled=false')).out);
  assert.equal(shown.file, file);
  assert.deepEqual(
    Object.keys(shown.options),
    OPTIONS.map(({ path }) => path),
  );
  assert.deepEqual(shown.options['history.max_bytes'], { value: '64MiB', from: `${file}:2` });
  assert.deepEqual(shown.options['history.enabled'], { value: false, from: '--history-enabled' });
});

test('--help of check has a flag for every option', async () => {
  const { code, out } = await run('check', '--help');
  assert.equal(code, 0);
  for (const { flag } of OPTIONS) assert.ok(out.includes(`  ${flag} `), flag);
});
