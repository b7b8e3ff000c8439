/**
 * The dashboard: the files that Vite has built, in memory, as browsers get them.
 *
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const FOLDER = new URL('../dashboard/', import.meta.url);

/** Shown where the package was compiled without it. */
const NOT_BUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>USMP gateway</title>
<h1>USMP gateway</h1><p>The dashboard is not built: run npm run build. The API is at /api/v1/openapi.json.</p></html>
`;

export interface Asset {
  readonly plain: Buffer;
  readonly gzip: Buffer;
}

interface Files {
  readonly index: string;
  readonly assets: ReadonlyMap<string, Asset>;
}

let files: Files | undefined;

/** Read at the first request: a command that only asks the API has no use for it. */
function read(): Files {
  files ??= readFiles();
  return files;
}

/**
 * The page, for a path so many folders deep. Its references are relative, as a proxy may have the gateway below a path that
 * only the browser knows.
 */
export function dashboardPage(depth: number): string {
  return read().index.replace(/"\.\/(?=(?:scripts|styles)\/)/g, `"${'../'.repeat(depth) || './'}`);
}

/** `scripts/…` or `styles/…`; their names change with what is in them. */
export function dashboardAsset(name: string): Asset | undefined {
  return read().assets.get(name);
}

/** Names of all assets. */
export function dashboardAssets(): readonly string[] {
  return [...read().assets.keys()];
}

function readFiles(): Files {
  try {
    const index = readFileSync(new URL('index.html', FOLDER), 'utf8');
    const names = ['scripts', 'styles'].flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, FOLDER)).map((name) => `${folder}/${name}`),
    );
    const assets = names.map((name): [string, Asset] => {
      const plain = readFileSync(new URL(name, FOLDER));
      return [name, { plain, gzip: gzipSync(plain, { level: 9 }) }];
    });
    return { index, assets: new Map(assets) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { index: NOT_BUILT, assets: new Map() };
  }
}
