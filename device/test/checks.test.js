/**
 * What the C core promises about itself, beside what it does: what it asks of a platform, how deep its stack goes, and what
 * analysers, compilers and valgrind have to say. Results are kept in `device/build/checks`: a second run is quick.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { findTools, xtensaSpecs } from '../../scripts/toolchain.js';
import { build, PLAIN } from './build.js';
import { mustCheck } from './checks/ignored.js';
import { BUILD, remember, run, runAlways } from './checks/run.js';
import {
  BACKENDS,
  BEARSSL,
  CORE,
  DEVICE,
  HEADERS,
  INCLUDES,
  ONE_FILE,
  RANDOM,
  SEAM,
  SWITCHES,
} from './checks/sources.js';
import { deepest, readGraphs } from './checks/stack.js';

const MINUTE = 60_000;

/** `npm run test:long` has the time for what takes most of it. */
const LONG = Boolean(process.env.USMP_LONG);

/** A function of the core itself must fit into this. */
const MAX_FRAME = 600;

const tools = await findTools('analysis');
const skip = tools === undefined ? 'needs gcc, clang, clang-tidy, cppcheck and valgrind' : false;
const { gcc = '', clang = '', 'clang-tidy': tidy = '', cppcheck = '', valgrind = '' } = tools ?? {};

mkdirSync(BUILD, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'usmp-checks-'));
after(() => rmSync(work, { recursive: true, force: true }));

const LANGUAGE = ['-std=c99', '-pedantic', '-Wall', '-Wextra', '-Werror'];
const FLAGS = [...INCLUDES, ...BEARSSL, ...SWITCHES];

/** Fails with what the program said. @param {import('./checks/run.js').Result} result @param {string} [about] */
function passes(result, about = '') {
  assert.equal(result.status, 0, `${about}\n${result.output.slice(0, 8000)}`);
}

/* ── What it asks of a platform ──────────────────────────────────────────────────────────────────────────────────── */

/** Memory functions of C that the core may call, and the seam. */
const NEEDED = /^(?:memcpy|memmove|memset|memcmp|usmp_crypto_\w+|usmp_aead_\w+)$/;

/** Helpers of the compiler where the processor cannot multiply or divide by itself. */
const INTEGER_HELPERS =
  /^(?:__u?(?:div|mod|mul)[sd]i3|__mulsi3|__aeabi_u?(?:idiv|idivmod)|__gnu_thumb1_case_\w+)$/;

/** @type {[string, 'arm', string, readonly string[]]} */
const CORTEX_M3 = [
  'Cortex-M3',
  'arm',
  'arm-none-eabi-gcc',
  ['-mcpu=cortex-m3', '-mthumb', '--specs=nano.specs'],
];

/** @typedef {{ undefined: string[], writable: string[] }} Symbols */

/**
 * What an object lacks and what it can write to.
 *
 * @param {string} compiler @param {readonly string[]} options @param {string} source
 * @returns {Promise<Symbols>}
 */
async function symbolsOf(compiler, options, source) {
  const nm = compiler.replace(/gcc$/, 'nm');
  // In one step, which is remembered as a whole.
  const script = 'nm=$1; shift; o=$(mktemp) && "$@" -o "$o" && "$nm" "$o"; s=$?; rm -f "$o"; exit $s';
  const sources = source === ONE_FILE ? [ONE_FILE, ...CORE] : [source];
  const result = await run('/bin/sh', ['-c', script, 'sh', nm, compiler, ...options, '-c', source], sources);
  passes(result, source);
  const lines = [...result.output.matchAll(/^\S*\s+([A-Za-z]) (\S+)$/gm)];
  return {
    undefined: lines.filter(([, kind]) => kind === 'U').map(([, , name]) => name),
    writable: lines.filter(([, kind]) => /^[dDbBCgGsS]$/.test(kind)).map(([, , name]) => name),
  };
}

/** @param {string} compiler @param {readonly string[]} options @param {readonly string[]} sources */
async function symbolsOfCore(compiler, options, sources) {
  const all = await Promise.all(sources.map((source) => symbolsOf(compiler, options, source)));
  const outside = all.flatMap((symbols) => symbols.undefined).filter((name) => !isOwn(name));
  return {
    outside: [...new Set(outside)].sort(),
    writable: all.flatMap((symbols) => symbols.writable),
  };
}

/** Whether a name is that of a function of the core. @param {string} name */
function isOwn(name) {
  return name.startsWith('usmp_') && !NEEDED.test(name);
}

describe('what the core asks of a platform', { skip, timeout: 9 * MINUTE, concurrency: true }, () => {
  // Position-independent code would have tables of its own.
  const host = ['-std=c99', '-fno-pic', ...FLAGS];
  for (const optimisation of ['-O0', '-O2']) {
    test(`it calls four memory functions and the seam, and writes to no memory of its own (${optimisation})`, async () => {
      const { outside, writable } = await symbolsOfCore(gcc, [...host, optimisation], [ONE_FILE]);
      assert.deepEqual(
        outside.filter((name) => !NEEDED.test(name)),
        [],
      );
      assert.deepEqual(writable, [], 'no variables');
    });
  }

  test('it compiles where there are no floating-point registers', async () => {
    // Not by -fsyntax-only, which does not get as far as to registers.
    const options = ['-std=c99', '-O0', '-mgeneral-regs-only', '-c', '-o', '/dev/null'];
    passes(await run(gcc, [...options, ...FLAGS, ONE_FILE], [ONE_FILE, ...CORE]));
    const faulty = join(BUILD, 'floating.c');
    writeFileSync(
      faulty,
      'double half(double number);\ndouble half(double number)\n{\n    return number / 2;\n}\n',
    );
    assert.notEqual((await run(gcc, [...options, faulty], [faulty])).status, 0, 'arithmetic would be found');
  });

  /** @type {readonly [string, 'riscv' | 'arm' | 'xtensa', string, readonly string[]][]} */
  const targets = [
    [
      'RV32IMC',
      'riscv',
      'riscv64-unknown-elf-gcc',
      ['-march=rv32imc', '-mabi=ilp32', '--specs=picolibc.specs'],
    ],
    ['Cortex-M0', 'arm', 'arm-none-eabi-gcc', ['-mcpu=cortex-m0', '-mthumb', '--specs=nano.specs']],
    // Needs no helpers that the M0 does not.
    ...(LONG ? [CORTEX_M3] : []),
    ['LX106', 'xtensa', 'xtensa-lx106-elf-gcc', ['-mtext-section-literals']],
  ];
  for (const [name, group, program, options] of targets) {
    test(`on ${name} it asks for no more than integer helpers of the compiler`, async (t) => {
      const found = await findTools(group);
      if (found === undefined) return t.skip(`needs ${program}`);
      const compiler = found[program];
      const specs = group === 'xtensa' ? [`--specs=${xtensaSpecs(compiler)}`] : [];
      const all = ['-std=c99', '-Os', ...options, ...specs, ...FLAGS];
      const { outside, writable } = await symbolsOfCore(compiler, all, [ONE_FILE]);
      const helpers = outside.filter((symbol) => !NEEDED.test(symbol));
      assert.deepEqual(
        helpers.filter((symbol) => !INTEGER_HELPERS.test(symbol)),
        [],
      );
      assert.deepEqual(writable, [], 'no variables');
      t.diagnostic(helpers.length === 0 ? 'no helpers' : `helpers: ${helpers.join(', ')}`);
    });
  }
});

/* ── Stack ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @param {string} compiler @param {readonly string[]} options @param {string} name */
async function callGraph(compiler, options, name) {
  const graphs = await Promise.all(
    [...CORE, ...SEAM].map(async (source) => {
      const args = [...options, '-fstack-usage', '-fcallgraph-info=su', '-c', source];
      const script = 'd=$(mktemp -d) && "$@" -o "$d/x.o" && cat "$d"/*.ci; s=$?; rm -rf "$d"; exit $s';
      const result = await run('/bin/sh', ['-c', script, 'sh', compiler, ...args], [source]);
      passes(result, `${name}: ${source}`);
      return result.output;
    }),
  );
  return readGraphs(graphs);
}

describe('stack', { skip, timeout: 9 * MINUTE, concurrency: true }, () => {
  /** Functions in public headers. */
  const isPublic = (/** @type {string} */ name) =>
    HEADERS.some((file) =>
      new RegExp(`^(?!USMP_INTERNAL)(?!.*USMP_INTERNAL).*\\b${name}\\(`, 'm').test(text(file)),
    );
  /** @type {Map<string, string>} */
  const texts = new Map();
  const text = (/** @type {string} */ file) => {
    const found = texts.get(file) ?? readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    texts.set(file, found);
    return found;
  };

  test(`every function has a bounded frame of at most ${MAX_FRAME} bytes, none calls itself; build/stack.txt has the depths`, async (t) => {
    const machines = [];
    const riscv = await findTools('riscv');
    if (riscv === undefined || LONG) machines.push({ name: 'x86-64, -O2', compiler: gcc, options: ['-O2'] });
    if (riscv !== undefined) {
      const options = ['-Os', '-march=rv32imc', '-mabi=ilp32', '--specs=picolibc.specs'];
      machines.push({ name: 'RV32IMC, -Os', compiler: riscv['riscv64-unknown-elf-gcc'], options });
    }
    const report = [
      '# Stack of core and seam by gcc -fcallgraph-info: the deepest way down from each public function, without libraries.\n',
    ];
    for (const { name, compiler, options } of machines) {
      const frames = await callGraph(compiler, ['-std=c99', ...options, ...FLAGS], name);
      assert.ok(frames.size > 150, `${frames.size} functions`);
      for (const frame of frames.values()) {
        assert.match(frame.kind, /^(?:static|dynamic,bounded)$/, `${frame.name}: ${frame.kind}`);
        // The seam holds the contexts of its library.
        const own = !/^usmp_crypto|^usmp_aead|bearssl\.c/.test(frame.name);
        if (own) assert.ok(frame.bytes <= MAX_FRAME, `${frame.name} takes ${frame.bytes} bytes on ${name}`);
      }
      const known = new Map();
      const paths = [...frames.keys()].map((title) => ({ title, ...deepest(frames, title, [], known) }));
      const ours = paths.filter(({ title }) => isPublic(title)).sort((a, b) => b.bytes - a.bytes);
      assert.ok(ours.length > 20, `${ours.length} public functions`);
      report.push(`\n## ${name}\n`);
      for (const { title, bytes, names } of ours)
        report.push(`${String(bytes).padStart(6)}  ${title}: ${names.join(' → ')}`);
      t.diagnostic(`${name}: at most ${ours[0].bytes} bytes, ${ours[0].title}`);
    }
    writeFileSync(join(DEVICE, 'build/stack.txt'), `${report.join('\n')}\n`);
  });

  test('recursion would be found', () => {
    const node = (/** @type {string} */ name) =>
      `node: { title: "${name}" label: "${name}\\n8 bytes (static)" }`;
    const edge = (/** @type {string} */ from, /** @type {string} */ to) =>
      `edge: { sourcename: "${from}" targetname: "${to}" label: "" }`;
    const frames = readGraphs([[node('a'), node('b'), edge('a', 'b'), edge('b', 'a')].join('\n')]);
    assert.throws(() => deepest(frames, 'a'), /recursion: a → b → a/);
  });
});

/* ── Analysers ───────────────────────────────────────────────────────────────────────────────────────────────────── */

describe('analysers find nothing', { skip, timeout: 9 * MINUTE, concurrency: true }, () => {
  const sources = [...CORE, ...SEAM, RANDOM];

  test('clang-tidy, by device/.clang-tidy', async () => {
    const rules = join(DEVICE, '.clang-tidy');
    // Its analyser takes most of the time; gcc has one as well, which runs each time.
    const depth = LONG ? [] : ['--checks=-clang-analyzer-*'];
    // To begin is most of what it does for a short file.
    const results = await Promise.all(
      [0, 1].map((half) => {
        const files = sources.filter((_, index) => index % 2 === half);
        const args = ['--quiet', `--config-file=${rules}`, ...depth, ...files, '--', '-std=c99', ...FLAGS];
        return run(tidy, args, [...files, rules]);
      }),
    );
    for (const result of results) passes(result);
  });

  test('cppcheck', async () => {
    const args = [
      ...['--quiet', '--error-exitcode=3', '--std=c99', '--enable=warning,style,performance,portability'],
      // Not the headers of BearSSL, which it would read again for every file.
      ...[...INCLUDES, ...SWITCHES, '-DUSMP_CRYPTO_BEARSSL', ...sources],
    ];
    passes(await run(cppcheck, args, sources));
  });

  test('gcc -fanalyzer', async () => {
    const results = await Promise.all(
      [...CORE, ...SEAM].map((source) =>
        run(gcc, [...LANGUAGE, '-O1', '-fanalyzer', ...FLAGS, '-c', source, '-o', '/dev/null'], [source]),
      ),
    );
    for (const [index, result] of results.entries()) passes(result, [...CORE, ...SEAM][index]);
  });

  test('they would find something', async () => {
    const source = join(BUILD, 'faulty.c');
    writeFileSync(
      source,
      '#include <stdlib.h>\nint faulty(int n);\nint faulty(int n)\n{\n    int *p = malloc(4);\n    *p = n;\n    free(p);\n    return *p / (n - n);\n}\n',
    );
    const rules = join(DEVICE, '.clang-tidy');
    const results = await Promise.all([
      run(tidy, ['--quiet', `--config-file=${rules}`, source, '--', '-std=c99'], [source, rules]),
      run(cppcheck, ['--quiet', '--error-exitcode=3', '--enable=warning', source], [source]),
      run(gcc, ['-O1', '-fanalyzer', '-Werror', '-c', source, '-o', '/dev/null'], [source]),
    ]);
    for (const result of results) assert.notEqual(result.status, 0);
  });
});

/* ── Headers ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

describe('headers', { skip, timeout: 9 * MINUTE, concurrency: true }, () => {
  for (const [language, options] of /** @type {const} */ ([
    ['C99', ['-x', 'c', ...LANGUAGE, '-Wno-empty-translation-unit']],
    ['C++11', ['-x', 'c++', '-std=c++11', '-pedantic', '-Wall', '-Wextra', '-Werror']],
  ])) {
    test(`each compiles alone in ${language}`, async () => {
      const results = await Promise.all(
        HEADERS.map((header) => {
          const name = basename(header);
          const backend = BACKENDS[/** @type {keyof typeof BACKENDS} */ (name)];
          const flags = backend === undefined ? FLAGS : [...INCLUDES, backend, ...SWITCHES];
          const args = [...options, ...flags, '-fsyntax-only', '-include', `usmp/${name}`, '/dev/null'];
          return run(clang, args, []);
        }),
      );
      for (const [index, result] of results.entries()) passes(result, HEADERS[index]);
    });
  }

  test('a compiler warns where a result that matters is ignored', async () => {
    const functions = HEADERS.flatMap((header) => mustCheck(readFileSync(header, 'utf8')));
    assert.ok(functions.length >= 40, `${functions.length} functions`);
    const source = join(BUILD, 'ignored.c');
    const includes = HEADERS.map((header) => basename(header)).filter((name) => !(name in BACKENDS));
    const lines = functions.map(({ name, arguments: values }) => `    ${name}(${values.join(', ')});`);
    const text = [
      ...includes.map((name) => `#include "usmp/${name}"`),
      'void ignored(void);',
      'void ignored(void)',
    ];
    writeFileSync(source, `${[...text, '{', ...lines, '}'].join('\n')}\n`);
    for (const compiler of [gcc, clang]) {
      const args = ['-std=c99', '-Wunused-result', '-Wno-nonnull', ...FLAGS, '-c', source, '-o', '/dev/null'];
      const { status, output } = await run(compiler, args, [source]);
      assert.equal(status, 0, output);
      const plain = output.replace(/[‘’]/g, "'");
      const warned = new Set(
        [...plain.matchAll(/^.*ignored\.c:(\d+):\d+: warning: ignoring return value/gm)].map((m) =>
          Number(m[1]),
        ),
      );
      const first = text.length + 2;
      const silent = functions.filter((_, index) => !warned.has(first + index)).map(({ name }) => name);
      assert.deepEqual(silent, [], `${compiler}\n${output.slice(0, 2000)}`);
    }
  });
});

/* ── Valgrind ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Functions that `constant-time/constant_time.c` stands in front of. */
const WATCHED = [
  ...['usmp_crypto_x25519_public_key', 'usmp_crypto_x25519_agree', 'usmp_crypto_hmac_sha256'],
  ...['usmp_aead_seal', 'usmp_crypto_equal', 'br_gcm_check_tag'],
];

/** Suites of the unit tests that are through in some seconds under valgrind. */
const QUICK_SUITES = [
  ...['arq', 'cobs', 'crc16', 'frame', 'message', 'record', 'replay', 'utack', 'key_schedule'],
  ...(LONG ? ['endpoint', 'handshake', 'sequence_end'] : []),
];

/** Those of a process; it takes half a second to begin. */
const PARTS = [
  ['equal', 'mac', 'schedule', 'record', 'x25519'],
  ['stream', 'serial', 'datagram'],
];

/** Whether the header is there, which Debian's valgrind brings. */
async function hasMemcheckHeader() {
  const result = await run(gcc, ['-E', '-include', 'valgrind/memcheck.h', '-x', 'c', '/dev/null'], []);
  return result.status === 0;
}

describe('what is left behind', { skip, timeout: 9 * MINUTE, concurrency: true }, () => {
  const own = ['test/fuzz/toy.c', 'crypto/src/memory.c', 'test/checks/residue.c'].map((path) =>
    join(DEVICE, path),
  );
  // At -O1 the mutations look, at -O0 whoever has the time.
  for (const optimisation of LONG ? ['-O0', '-O2'] : ['-O2']) {
    test(`no call leaves a secret on the stack, and no salt of REKEY stays in a connection (gcc ${optimisation})`, async () => {
      const sources = [...CORE, ...own];
      const result = await remember(`residue ${optimisation}`, sources, async () => {
        const path = join(work, `residue${optimisation}`);
        const built = await runAlways(gcc, [
          ...[
            '-std=gnu11',
            optimisation,
            '-Wall',
            '-Wextra',
            '-Werror',
            `-I${join(DEVICE, 'test/fuzz/toy')}`,
          ],
          ...[...INCLUDES, '-DUSMP_CRYPTO_BEARSSL', ...SWITCHES, '-Wl,-z,now'],
          ...WATCHED.slice(0, 3).map((watched) => `-Wl,--wrap=${watched}`),
          ...[...sources, '-o', path],
        ]);
        return built.status === 0 ? await runAlways(path, []) : built;
      });
      passes(result);
    });
  }
});

describe('valgrind', { skip, timeout: 9 * MINUTE, concurrency: true }, () => {
  const source = join(DEVICE, 'test/constant-time/constant_time.c');
  const sources = [...CORE, ...SEAM, source];

  /** @type {Map<string, Promise<string>>} */
  const programs = new Map();

  /** Builds the program once for each way to optimise. @param {string} optimisation */
  function program(optimisation) {
    let built = programs.get(optimisation);
    if (built === undefined) {
      const path = join(work, `constant-time${optimisation}`);
      const args = [
        ...['-std=c11', optimisation, '-g', '-Wall', '-Wextra', '-Wconversion', '-Werror', ...FLAGS],
        ...WATCHED.map((watched) => `-Wl,--wrap=${watched}`),
        ...[...sources, '-lbearssl', '-o', path],
      ];
      built = runAlways(gcc, args).then((result) => {
        passes(result);
        return path;
      });
      programs.set(optimisation, built);
    }
    return built;
  }

  /**
   * @param {string} optimisation @param {readonly string[]} names of parts
   * @param {readonly string[]} options of valgrind
   */
  function parts(optimisation, names, options) {
    const say = `${optimisation} ${names.join(' ')} ${options.join(' ')}`;
    return remember(say, sources, async () =>
      runAlways(valgrind, [...options, await program(optimisation), ...names]),
    );
  }

  const STRICT = ['-q', '--error-exitcode=9', '--leak-check=full', '--errors-for-leak-kinds=all'];

  for (const optimisation of LONG ? ['-O2', '-Os'] : ['-O2']) {
    test(`no jump and no index depends on a secret, from the handshake to BYE over each transport (gcc ${optimisation})`, async (t) => {
      if (!(await hasMemcheckHeader())) return t.skip('needs valgrind/memcheck.h (Debian: valgrind)');
      // For size, the loops are the same and the branches may not be: the parts without conversations tell.
      const groups = optimisation === '-O2' ? PARTS : [PARTS[0].slice(0, 4)];
      const results = await Promise.all(groups.map((names) => parts(optimisation, names, STRICT)));
      for (const [index, result] of results.entries()) {
        passes(result, groups[index].join(', '));
        const through = [...result.output.matchAll(/^(\w+) is through$/gm)].map(([, name]) => name);
        assert.deepEqual(through, groups[index]);
      }
    });
  }

  test('the unit tests read nothing that was not written, and leave nothing behind', async (t) => {
    const program = await build(PLAIN);
    const options = ['-q', '--error-exitcode=9', '--leak-check=full', '--errors-for-leak-kinds=definite'];
    // Every kind of message, and few random ones.
    const brief = LONG ? [] : ['USMP_BRIEF=1'];
    const command = [...brief, valgrind, ...options, program, ...QUICK_SUITES];
    const { status, output } = await remember(command.join(' '), [program], () => runAlways('env', command));
    // What a test promises is the affair of unit.test.js.
    assert.ok(status === 0 || status === 1, `${status}\n${output.slice(-6000)}`);
    assert.match(output, /^1\.\.\d+$/m);
    t.diagnostic(`${QUICK_SUITES.length} suites`);
  });

  test('a comparison that ends early is reported', async (t) => {
    if (!(await hasMemcheckHeader())) return t.skip('needs valgrind/memcheck.h (Debian: valgrind)');
    const result = await parts('-O2', ['leak'], STRICT);
    assert.equal(result.status, 9, result.output);
    assert.match(result.output, /Conditional jump or move depends on uninitialised value[\s\S]*leaky_equal/);
  });
});
