/** The transport that `docs/transports.md` shows, as printed there. */

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { repository } from '../package/paths.js';
import { StreamRelay } from '../support/stream-relay.js';
import type { TransportBed } from './bed.js';
import { freePort } from './beds.js';

const page = await readFile(join(repository, 'docs/transports.md'), 'utf8');
const example = [...page.matchAll(/```ts\n(.*?)```/gs)].find(([, code]) =>
  code!.includes('registerTransport('),
)![1]!;

// Beside this file, where `usmp` means the package that is tested.
const file = fileURLToPath(new URL(`./documented-${process.pid}.mjs`, import.meta.url));
await writeFile(file, (await transform(example, { loader: 'ts' })).code);
try {
  await import(file);
} finally {
  await rm(file);
}

const upgrade: TransportBed = {
  scheme: 'upgrade',
  module: import.meta.url,
  place: () => 'upgrade://127.0.0.1:0',
  nowhere: async () => `upgrade://127.0.0.1:${await freePort()}`,
  async line(scope, url) {
    const [place, target] = [0, Number(new URL(url).port)].map((port) => ({ host: '127.0.0.1', port }));
    const relay = await StreamRelay.open(scope, place!, target!);
    return { url: `upgrade://127.0.0.1:${relay.port}`, cutAfter: (bytes) => relay.cutAfter(bytes) };
  },
};

export const beds = { upgrade };

/** How long the example is. */
export const LINES = example.split('\n').indexOf("registerTransport('upgrade', upgrade);");
