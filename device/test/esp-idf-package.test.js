/** The ESP-IDF component as a package: the archive, the manifest, Kconfig and the build files, by Espressif's own tools. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { idfPython } from '../../scripts/peers.js';
import { findTools } from '../../scripts/toolchain.js';
import {
  build,
  COMPONENT,
  DEFAULTS,
  DEVICE,
  optionsFor,
  partsOf,
  SCENARIOS,
  scenario,
  serve,
  temporaryFolder,
} from './esp-idf/bed.js';

const run = promisify(execFile);
const tools = await findTools('analysis');
const python = await idfPython();
const NO_PYTHON = "Espressif's tools from PyPI are missing (node scripts/peers.js, or USMP_IDF_PYTHON)";

const EXAMPLES = ['basic', 'sensor_deep_sleep'];

/** A test that needs them. Without, it is skipped loudly; under `CI=true`, where nothing may be left out, it fails. */
function testWithPython(/** @type {string} */ promise, /** @type {import('node:test').TestFn} */ body) {
  test(promise, { timeout: 120_000 }, async (t) => {
    if (python !== undefined) return body(t, () => {});
    assert.notEqual(process.env.CI, 'true', NO_PYTHON);
    console.error(`*** NOT TESTED, ${NO_PYTHON}: ${promise}`);
    t.skip(NO_PYTHON);
  });
}

/** @param {string} folder @param {string} [within] @returns {Promise<string[]>} */
async function allFiles(folder, within = '') {
  const entries = await readdir(join(folder, within), { withFileTypes: true });
  const lists = entries.map((entry) => {
    const path = join(within, entry.name);
    return entry.isDirectory() ? allFiles(folder, path) : Promise.resolve([path]);
  });
  return (await Promise.all(lists)).flat().sort();
}

describe('the package of the ESP-IDF component', () => {
  /** @type {Awaited<ReturnType<typeof temporaryFolder>>} */
  let place;
  before(async () => {
    place = await temporaryFolder();
  });
  after(() => place.remove());

  const packInPlace = async () => {
    const to = join(place.folder, 'packed');
    const args = ['component', 'pack', '--name', 'usmp', '--project-dir', COMPONENT, '--dest-dir', to];
    await run(/** @type {string} */ (python), ['-m', 'idf_component_manager', ...args]);
    const [name] = (await readdir(to)).filter((file) => file.endsWith('.tgz'));
    const folder = join(to, 'usmp');
    await mkdir(folder);
    await run('tar', ['xzf', join(to, name), '-C', folder]);
    return { name, folder };
  };

  testWithPython('compote packs what compiles and has a session elsewhere', async (t) => {
    if (tools === undefined) return t.skip('no C compiler');
    const { name, folder } = await packInPlace();
    const { version } = JSON.parse(await readFile(join(DEVICE, '../package.json'), 'utf8'));
    assert.equal(name, `usmp_${version}.tgz`);

    const { packed } = await build(tools.gcc, place.folder, {
      name: 'elsewhere',
      component: folder,
      flags: ['-O0'],
      mains: { packed: SCENARIOS },
    });
    const server = await serve(t, 'tcp://127.0.0.1:0');
    await scenario(t, packed, 'echo', server.url).succeeds();

    const files = await allFiles(folder);
    for (const wanted of ['LICENSE', 'README.md', 'Kconfig', 'CMakeLists.txt', 'idf_component.yml'])
      assert.ok(files.includes(wanted), `${wanted} is packed`);
    for (const example of EXAMPLES)
      assert.ok(files.includes(join('examples', example, 'CMakeLists.txt')), example);
    const foreign = files.filter((file) => /bearssl\.c|random_posix|\.js$|build\/|sdkconfig$/.test(file));
    assert.deepEqual(foreign, []);

    const env = { ...process.env, USMP_IDF_PYTHON: python };
    await run(process.execPath, [join(COMPONENT, 'pack.js'), join(place.folder, 'staged')], { env });
    assert.deepEqual(await allFiles(join(place.folder, `staged/usmp_${version}`)), files);
  });

  testWithPython(
    'the manifest names all chips, and an example finds the component without a network',
    async () => {
      const project = join(COMPONENT, 'examples/basic');
      const list = join(place.folder, 'components.yml');
      const result = join(place.folder, 'managed.cmake');
      const components = `components:\n  - name: "main"\n    path: "${join(project, 'main')}"\n`;
      await writeFile(list, components);
      const args = [
        ...[
          '-m',
          'idf_component_manager.prepare_components',
          '--project_dir',
          project,
          '--interface_version',
          '4',
        ],
        ...['--lock_path', join(place.folder, 'dependencies.lock'), 'prepare_dependencies'],
        ...['--managed_components_list_file', result, '--local_components_list_file', list],
      ];
      const env = {
        ...process.env,
        ...{ IDF_PATH: place.folder, IDF_TARGET: 'linux', CI_TESTING_IDF_VERSION: '5.5.0' },
        ...{
          IDF_VERSION: '5.5.0',
          ESP_IDF_VERSION: '5.5.0',
          IDF_COMPONENT_REGISTRY_URL: 'http://127.0.0.1:1',
        },
      };
      await mkdir(join(place.folder, 'tools/cmake'), { recursive: true });
      await run(/** @type {string} */ (python), args, { env });
      assert.match(await readFile(result, 'utf8'), /idf_build_component\("\S+\/esp-idf\/usmp"/);

      const manifest = await readFile(join(COMPONENT, 'idf_component.yml'), 'utf8');
      for (const target of ['esp32', 'esp32s2', 'esp32s3', 'esp32c3', 'esp32c6', 'esp32h2', 'linux'])
        assert.match(manifest, new RegExp(`^ {2}- ${target}$`, 'm'));
      assert.match(manifest, /^ {2}idf: ">=5\.0"$/m);
    },
  );

  /** Parts of Mbed TLS that Kconfig switches on. */
  const PARTS = ['ECP_C', 'ECDH_C', 'ECP_DP_CURVE25519_ENABLED', 'AES_C', 'GCM_C'];

  testWithPython('Kconfig keeps to the rules, and says what the tests are built with', async () => {
    const files = ['Kconfig', ...EXAMPLES.map((name) => `examples/${name}/main/Kconfig.projbuild`)];
    const root = join(place.folder, 'Kconfig');
    const settings = join(place.folder, 'config.json');
    for (const [index, file] of files.entries()) {
      // Where it finds fault it writes a better one beside it.
      const copy = join(place.folder, `Kconfig.${index}`);
      await copyFile(join(COMPONENT, file), copy);
      const { stdout } = await run(/** @type {string} */ (python), ['-m', 'kconfcheck', copy]);
      assert.match(stdout, /OK/);
    }
    await writeFile(
      root,
      [
        'mainmenu "ESP-IDF"\nconfig IDF_TARGET_LINUX\n    bool\n    default y\n',
        ...PARTS.map((name) => `config MBEDTLS_${name}\n    bool "mbedTLS"\n    default n\n`),
        `source "${join(COMPONENT, 'Kconfig')}"\n`,
      ].join(''),
    );
    await run(/** @type {string} */ (python), [
      ...['-m', 'kconfgen', '--kconfig', root, '--config', join(place.folder, 'sdkconfig')],
      ...['--output', 'json', settings],
    ]);
    const values = JSON.parse(await readFile(settings, 'utf8'));
    for (const name of PARTS) assert.equal(values[`MBEDTLS_${name}`], true, name);
    for (const [name, value] of Object.entries(DEFAULTS)) {
      const said = typeof value === 'string' ? JSON.parse(value) : value;
      assert.equal(values[name] === true ? 1 : values[name], said, name);
    }
    const known = Object.keys(values).filter((name) => name.startsWith('USMP_') && values[name] !== false);
    assert.deepEqual(
      known.filter((name) => !(name in DEFAULTS)),
      ['USMP_CRYPTO_PARTS'],
    );
  });
});

test('the version of the component is that of all packages', async () => {
  const [manifest, text] = await Promise.all([
    readFile(join(COMPONENT, 'idf_component.yml'), 'utf8'),
    readFile(join(DEVICE, '../package.json'), 'utf8'),
  ]);
  assert.equal(/^version: "(.+)"$/m.exec(manifest)?.[1], JSON.parse(text).version);
});

test('CMakeLists.txt of the component names the files that are there', async () => {
  const text = await readFile(join(COMPONENT, 'CMakeLists.txt'), 'utf8');
  const named = [...text.matchAll(/\$\{here\}\/src\/(\w+\.c)/g)].map(([, name]) => name);
  const there = (await readdir(join(COMPONENT, 'src'))).filter((name) => name.endsWith('.c'));
  assert.deepEqual(named.sort(), there.sort());
  for (const [, file] of text.matchAll(/\$\{protocol\}\/([\w/.]+)/g))
    assert.ok(existsSync(join(DEVICE, file)), file);
});

test('both examples bring up the same network', async () => {
  for (const name of ['network.c', 'network.h']) {
    const [one, other] = await Promise.all(
      EXAMPLES.map((example) => readFile(join(COMPONENT, 'examples', example, 'main', name), 'utf8')),
    );
    assert.equal(one, other, name);
  }
});

test('the example of the README compiles as printed', {
  skip: tools === undefined && 'no C compiler',
}, async () => {
  const { folder, remove } = await temporaryFolder();
  try {
    const [, example] = /```c\n(.*?)```/s.exec(await readFile(join(COMPONENT, 'README.md'), 'utf8')) ?? [];
    const { includes } = await partsOf(COMPONENT, DEVICE);
    const options = await optionsFor(folder, includes, {});
    await writeFile(join(folder, 'example.c'), example);
    await run(tools.gcc, [...options, '-fsyntax-only', join(folder, 'example.c')]);
  } finally {
    await remove();
  }
});

test('links of the README do not lead out of the package', async () => {
  for (const file of ['README.md', ...EXAMPLES.map((name) => `examples/${name}/README.md`)]) {
    const text = await readFile(join(COMPONENT, file), 'utf8');
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)/g))
      assert.ok(!join(dirname(file), link).startsWith('..'), `${file}: ${link}`);
  }
});

test('the README names files and functions that are there', async () => {
  const header = await readFile(join(COMPONENT, 'include/usmp_esp.h'), 'utf8');
  for (const file of ['README.md', ...EXAMPLES.map((name) => `examples/${name}/README.md`)]) {
    const text = await readFile(join(COMPONENT, file), 'utf8');
    for (const [name] of text.matchAll(/\busmp_esp_\w+(?=[(`])/g))
      assert.ok(header.includes(`${name}(`), name);
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)/g))
      assert.ok(existsSync(join(COMPONENT, dirname(file), link)), link);
  }
});
