/** The example of device/README.md runs as printed, against the server; that of the header compiles. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { USMPServer } from '../../packages/usmp/dist/index.js';
import { findTools } from '../../scripts/toolchain.js';

const run = promisify(execFile);
const DEVICE = fileURLToPath(new URL('..', import.meta.url));
const tools = await findTools('analysis');
const skip = tools === undefined && 'no C compiler: node scripts/toolchain.js says why';

/** What the example prints where the server knows another key. */
const REFUSED = 'the server knows another key, or not this device id: compare both\n';

const STRICT = [
  '-std=c99',
  '-D_POSIX_C_SOURCE=200809L',
  '-Wall',
  '-Wextra',
  '-Wconversion',
  '-Wshadow',
  '-pedantic',
  '-Werror',
];

/** What the example leaves to its reader. */
const YOURS = `
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int file;

size_t tcp_read(uint8_t *bytes, size_t room)
{
    ssize_t count = read(file, bytes, room);
    if (count == 0) usmp_handle_end(&usmp);
    return count > 0 ? (size_t)count : 0;
}

size_t tcp_write(const uint8_t *bytes, size_t length)
{
    ssize_t count = write(file, bytes, length);
    return count > 0 ? (size_t)count : 0;
}

uint32_t millis(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint32_t)time.tv_sec * 1000u + (uint32_t)(time.tv_nsec / 1000000);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {0};
    if (argc < 2) return 2;
    file = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(file, (struct sockaddr *)&address, sizeof address) != 0 || !begin()) return 2;
    fcntl(file, F_SETFL, O_NONBLOCK);
    while (step()) {
        struct timespec nap = {0, 1000000};
        nanosleep(&nap, NULL);
    }
    return 0;
}
`;

test('the example of the README says hello to a server and prints the answer', {
  skip,
  timeout: 60_000,
}, async () => {
  const text = await readFile(join(DEVICE, 'README.md'), 'utf8');
  const [, example] = /```c\n(.*?)```/s.exec(text) ?? [];
  assert.ok(example, 'there is an example');
  const folder = await mkdtemp(join(tmpdir(), 'usmp-readme-'));
  const server = new USMPServer({ psk: 'your-psk-here-16+', listen: ['tcp://127.0.0.1:0'] });
  const heard = [];
  server.onSession(async (session) => {
    const message = new TextDecoder().decode(await session.recv());
    heard.push(message);
    await session.send(`${message} yourself`);
    await session.recv().catch(() => {});
  });
  const stranger = new USMPServer({ psk: 'another key than that', listen: ['tcp://127.0.0.1:0'] });
  await server.listen();
  stranger.onSession(() => {});
  await stranger.listen();
  try {
    await writeFile(join(folder, 'example.c'), example + YOURS);
    const program = join(folder, 'example');
    const sources = [
      'core/usmp.c',
      'crypto/src/bearssl.c',
      'crypto/src/memory.c',
      'crypto/src/random_posix.c',
    ];
    const options = [
      '-DUSMP_CRYPTO_BEARSSL',
      '-Icore/include',
      '-Icrypto/include',
      '-isystem',
      '/usr/include/bearssl',
    ];
    await run(
      tools.gcc,
      [...STRICT, ...options, join(folder, 'example.c'), ...sources, '-lbearssl', '-o', program],
      {
        cwd: DEVICE,
      },
    );
    const port = new URL(server.urls[0]).port;
    const { stdout } = await run(program, [port], { timeout: 20_000 });
    assert.deepEqual(heard, ['hello']);
    assert.equal(stdout, 'hello yourself\nthis side closed the session\n');
    const refused = await run(program, [new URL(stranger.urls[0]).port], { timeout: 20_000 });
    assert.equal(refused.stdout, REFUSED);
  } finally {
    await server.close();
    await stranger.close();
    await rm(folder, { recursive: true });
  }
});

/** What the example of the header leaves to its reader; its first lines stand outside of a function. */
const AROUND = `
#include <stdio.h>
#include "usmp/usmp.h"

uint32_t millis(void);
size_t tcp_read(uint8_t *bytes, size_t room);
size_t tcp_write(const uint8_t *bytes, size_t length);
void handle(const uint8_t *message, size_t length);
void session(void);
`;

test('the example of the header compiles without a warning', { skip }, async (t) => {
  const header = await readFile(join(DEVICE, 'core/include/usmp/usmp.h'), 'utf8');
  const lines = header.slice(0, header.indexOf('*/')).matchAll(/^ \* {5}(.*)$/gm);
  const example = [...lines].map(([, line]) => line).join('\n');
  const body = example.indexOf('if (usmp_connect(');
  assert.ok(body > 0, example);
  const folder = await mkdtemp(join(tmpdir(), 'usmp-header-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'example.c');
  const code = [AROUND, example.slice(0, body), 'void session(void)\n{\n', example.slice(body), '\n}\n'];
  await writeFile(file, code.join(''));
  const options = ['-DUSMP_CRYPTO_BEARSSL', '-Icore/include', '-Icrypto/include'];
  await run(
    tools.gcc,
    [...STRICT, ...options, '-isystem', '/usr/include/bearssl', '-c', file, '-o', `${file}.o`],
    {
      cwd: DEVICE,
    },
  );
});

test('the README names files that are there', async () => {
  const text = await readFile(join(DEVICE, 'README.md'), 'utf8');
  for (const [, name] of text.matchAll(/`((?:core|crypto|posix|firmware)\/[\w./]+\.[chj]s?)`/g)) {
    await readFile(join(DEVICE, name));
  }
});
