/** A gateway that runs in the process of the test, and devices that connect to it. */

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { USMPClient, type USMPSession } from 'usmp';
import type { KeyedDevice } from '#dist/cli/answers.js';
import { loadConfig } from '#dist/config/load.js';
import { Gateway } from '#dist/gateway.js';
import { makeLogger } from '#dist/logging/logger.js';
import { readRunFile } from '#dist/run-file.js';

/** Free ports of this machine alone. */
export const LISTEN = ['--listen', 'tcp://127.0.0.1:0', '--http-listen', '127.0.0.1:0'];

export async function startGateway(t: TestContext, data: string): Promise<Gateway> {
  const { config } = loadConfig({
    env: {},
    flags: { data, listen: ['tcp://127.0.0.1:0'], httpListen: '127.0.0.1:0' },
    cwd: data,
  });
  const logger = makeLogger({ level: 'silent', format: 'json' });
  const gateway = await Gateway.start({ config, env: {}, logger, version: '0.0.0' });
  t.after(() => gateway.stop());
  return gateway;
}

/** Asks the API of the gateway on a data folder, as admin. */
export async function ask<Answer>(data: string, path: string, body: object): Promise<Answer> {
  const { url, token } = readRunFile(data)!;
  const response = await fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Answer;
}

/** Registers a device and connects as it. */
export async function connectDevice(
  t: TestContext,
  data: string,
  name: string,
): Promise<{ id: string; session: USMPSession }> {
  const { device, key, urls } = await ask<KeyedDevice>(data, '/devices', { name });
  const client = new USMPClient({ url: urls[0]!, psk: key!, deviceId: device.id });
  const session = await client.connect();
  t.after(() => session.close());
  return { id: device.id, session };
}

/** An HTTP server that is no gateway; its URL. */
export async function serveHTTP(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
