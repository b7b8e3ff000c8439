/**
 * Devices as people name them.
 *
 * @module
 */

import { nearest } from '../config/suggest.js';
import { GatewayError } from '../errors.js';
import type { DeviceFacts } from './answers.js';
import { type ApiClient, apiPath } from './api-client.js';

/** Names compared with one that is wrong, per search. */
const MAX_CANDIDATES = 1_000;

/** Names looked up for one list or stream; what is beyond is shown by its id. */
const MAX_NAMES = 200;

/** A request about a device; where there is none of that name the error tells which may have been meant. */
export async function aboutDevice<Answer>(
  api: ApiClient,
  name: string,
  request: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'not_found' || (await isKnown(api, name)))
      throw error;
    const meant = await nearName(api, name);
    const hint = meant === undefined ? 'usmp-gateway device list shows all' : `did you mean ${meant}?`;
    throw new GatewayError('not_found', `${error.message}: ${hint}`, { cause: error });
  }
}

/** The device of an id or a name. */
export function findDevice(api: ApiClient, name: string): Promise<DeviceFacts> {
  return aboutDevice(api, name, () => api.get<DeviceFacts>(apiPath`/devices/${name}`));
}

async function isKnown(api: ApiClient, name: string): Promise<boolean> {
  try {
    await api.get(apiPath`/devices/${name}`);
    return true;
  } catch {
    return false;
  }
}

async function nearName(api: ApiClient, wrong: string): Promise<string | undefined> {
  const search = async (part: string | undefined) => {
    const page = await api.get<{ devices: readonly DeviceFacts[] }>('/devices', {
      search: part,
      limit: MAX_CANDIDATES,
    });
    return page.devices.flatMap(({ id, name }) => [name, id]);
  };
  try {
    const names = await Promise.all([undefined, ...partsOf(wrong)].map(search));
    return nearest(wrong, [...new Set(names.flat())]);
  } catch {
    return undefined;
  }
}

/** Where there are many: a name with one or two letters wrong has one of its three parts right. */
function partsOf(name: string): string[] {
  const letters = [...name];
  const length = Math.ceil(letters.length / 3);
  const parts = [0, 1, 2].map((part) => letters.slice(part * length, (part + 1) * length).join(''));
  return parts.filter((part) => part.trim() !== '');
}

/** Looks up what the devices of a list are called. */
export class DeviceNames {
  readonly #api: () => ApiClient;
  readonly #names = new Map<string, string>();

  constructor(api: () => ApiClient) {
    this.#api = api;
  }

  async of(id: string | null): Promise<string> {
    if (id === null) return '-';
    const known = this.#names.get(id);
    if (known !== undefined || this.#names.size >= MAX_NAMES) return known ?? id;
    // Also where it was removed: it is not asked for again.
    const name = await this.#api()
      .get<DeviceFacts>(apiPath`/devices/${id}`)
      .then((device) => device.name)
      .catch(() => id);
    this.#names.set(id, name);
    return name;
  }

  /** All at once. */
  async load(ids: readonly (string | null)[]): Promise<void> {
    await Promise.all([...new Set(ids)].slice(0, MAX_NAMES).map((id) => this.of(id)));
  }
}
