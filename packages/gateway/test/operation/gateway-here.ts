/** A gateway in the process of the test, for what cannot be done to another one. */

import type { TestContext } from 'node:test';
import { loadConfig } from '#dist/config/load.js';
import { Gateway } from '#dist/gateway.js';
import { makeLogger } from '#dist/logging/logger.js';
import { readRunFile } from '#dist/run-file.js';

let names = 0;

export async function startHere(t: TestContext, folder: string) {
  const flags = { data: folder, listen: [`memory:here-${++names}`], httpListen: '127.0.0.1:0' };
  const { config } = loadConfig({ env: {}, flags });
  const log: string[] = [];
  const logger = makeLogger({ level: 'info', format: 'json' }, { write: (line) => void log.push(line) });
  const gateway = await Gateway.start({ config, env: {}, logger, version: '0' });
  t.after(() => gateway.stop());
  const { url, token } = readRunFile(folder)!;
  const get = async (path: string) => {
    const answer = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
    const text = await answer.text();
    return { status: answer.status, text, body: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  return { gateway, log, get };
}
