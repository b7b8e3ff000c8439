/** For each operation: a request that succeeds, and requests that provoke the errors that only it has. */

import { dashboardAssets } from '#dist/http/dashboard.js';
import type { AskOptions, Bed } from './bed.js';

export interface Request extends AskOptions {
  /** Values of the path. */
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string>>;
}

type Make = (bed: Bed) => Request | Promise<Request>;

export interface Scenario {
  /** Called once for each time the request is needed: what it acts on is made anew. */
  readonly good: Make;
  /** Statuses beside those that all operations of its kind have, and how to come by them. */
  readonly errors?: Readonly<Record<number, Make>>;
}

let number = 0;
const NOBODY = { params: { id: '02:00:00:ff:ff:ff' } };

function add(bed: Bed): string {
  return bed.devices.add({ name: `lamp ${++number}` }).device.id;
}

function addOnline(bed: Bed): string {
  const id = add(bed);
  bed.fleet.connect(id);
  return id;
}

async function queue(bed: Bed, id: string): Promise<number> {
  return (await bed.outbox.submit(id, Buffer.from('hello'), { format: 'text' })).id;
}

function refuse(bed: Bed): number {
  const deviceId = `02:00:00:aa:00:${(++number % 256).toString(16).padStart(2, '0')}`;
  bed.refused.note({
    deviceId,
    ...{ address: '192.0.2.9', transport: 'tcp', reason: 'unknown-device', message: 'unknown device id' },
  });
  return bed.refused.list().entries.find((entry) => entry.deviceId === deviceId)!.id;
}

function asset(folder: string): Request {
  const path = dashboardAssets().find((name) => name.startsWith(`${folder}/`));
  return { params: { name: path?.slice(folder.length + 1) ?? 'not-built' } };
}

const ofDevice: Make = (bed) => ({ params: { id: add(bed) } });
const nothing: Make = () => ({});

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  getHealth: { good: nothing },
  getReadiness: {
    good: nothing,
    errors: {
      503(bed) {
        Object.assign(bed.readinessNow, { ready: false, reasons: ['the storage is full'] });
        return {};
      },
    },
  },
  getMetrics: { good: nothing },
  getOpenApi: { good: nothing },
  getStatus: { good: nothing },
  getStats: { good: () => ({ query: { after: '2026-11-26T17:00:00Z' } }) },
  getConfig: { good: nothing },
  listTags: { good: nothing },
  getDeviceActivity: {
    async good(bed) {
      const id = add(bed);
      await queue(bed, id);
      return { params: { id } };
    },
    errors: { 404: () => NOBODY },
  },
  listDevices: {
    good: () => ({ query: { search: 'lamp', sort: 'createdAt', descending: 'true', limit: '5' } }),
  },
  addDevice: {
    good: () => ({ body: { name: `added ${++number}`, tags: ['b', 'a'], note: 'by the door' } }),
    errors: { 409: (bed) => ({ body: { id: add(bed) } }) },
  },
  importDevices: {
    good: () => ({ type: 'text/csv', body: `id,name\n02:00:00:bb:00:01,imported ${++number}\n` }),
    errors: {
      400: () => ({ type: 'text/csv', body: 'id,name\nno id at all,x\n' }),
    },
  },
  exportDevices: { good: () => ({ query: { keys: 'true' } }) },
  getDevice: { good: (bed) => ({ params: { id: addOnline(bed) } }), errors: { 404: () => NOBODY } },
  updateDevice: {
    good: (bed) => ({ params: { id: add(bed) }, body: { enabled: false, tags: ['attic'] } }),
    errors: {
      404: () => ({ ...NOBODY, body: {} }),
      409: (bed) => ({ params: { id: add(bed) }, body: { name: bed.devices.require(add(bed)).name } }),
    },
  },
  removeDevice: { good: ofDevice, errors: { 404: () => NOBODY } },
  rotateKey: {
    good: (bed) => ({ params: { id: add(bed) }, body: { oldUntil: '2999-01-01T00:00:00+01:00' } }),
    errors: {
      404: () => NOBODY,
    },
  },
  dropOldKey: {
    good(bed) {
      const id = add(bed);
      bed.devices.rotate(id);
      return { params: { id } };
    },
    errors: { 404: () => NOBODY },
  },
  revokeKeys: { good: ofDevice, errors: { 404: () => NOBODY } },
  listSessions: { good: nothing },
  endSession: {
    good: (bed) => ({ params: { deviceId: addOnline(bed) } }),
    errors: { 404: (bed) => ({ params: { deviceId: add(bed) } }) },
  },
  pingDevice: {
    good: (bed) => ({ params: { deviceId: addOnline(bed) } }),
    errors: {
      404: (bed) => ({ params: { deviceId: add(bed) } }),
      503(bed) {
        bed.fleet.answers = false;
        return { params: { deviceId: addOnline(bed) } };
      },
    },
  },
  sendMessage: {
    good: (bed) => ({
      params: { id: add(bed) },
      headers: { 'Idempotency-Key': `request-${++number}` },
      body: { json: { on: true, level: [1, 2.5, null] }, expiresIn: 60, redeliver: true },
    }),
    errors: {
      404: () => ({ ...NOBODY, body: { text: 'x' } }),
      async 409(bed) {
        const id = add(bed);
        await bed.outbox.submit(id, Buffer.from('one'), { format: 'text', requestId: 'r' });
        return { params: { id }, headers: { 'Idempotency-Key': 'r' }, body: { text: 'another' } };
      },
      413: (bed) => ({ params: { id: add(bed) }, body: { text: 'x'.repeat(1_809) } }),
      async 429(bed) {
        const id = add(bed);
        const { maxMessages } = bed.config.current.outbox;
        await Promise.all(Array.from({ length: maxMessages }, () => queue(bed, id)));
        return { params: { id }, body: { text: 'one too many' } };
      },
    },
  },
  listDeviceMessages: {
    async good(bed) {
      const id = add(bed);
      await queue(bed, id);
      return { params: { id }, query: { direction: 'out', after: '0', limit: '10' } };
    },
    errors: { 404: () => NOBODY },
  },
  listMessages: {
    good: () => ({ query: { search: 'hello' } }),
    errors: { 404: () => ({ query: { device: 'nobody' } }) },
  },
  getMessage: {
    good: async (bed) => ({ params: { id: await queue(bed, add(bed)) } }),
    errors: { 404: () => ({ params: { id: 999_999 } }) },
  },
  cancelMessage: {
    good: async (bed) => ({ params: { id: await queue(bed, add(bed)) } }),
    errors: {
      404: () => ({ params: { id: 999_999 } }),
      async 409(bed) {
        const id = await queue(bed, add(bed));
        await bed.outbox.cancel(id);
        return { params: { id } };
      },
    },
  },
  listOutbox: {
    async good(bed) {
      const id = add(bed);
      await queue(bed, id);
      return { params: { id } };
    },
    errors: { 404: () => NOBODY },
  },
  clearOutbox: {
    async good(bed) {
      const id = add(bed);
      await queue(bed, id);
      return { params: { id } };
    },
    errors: { 404: () => NOBODY },
  },
  streamEvents: {
    good: () => ({ query: { types: 'connected,refused' }, headers: { 'Last-Event-ID': '0' } }),
    errors: {
      404: () => ({ query: { device: 'nobody' } }),
      async 503(bed) {
        await bed.fillStreams();
        return {};
      },
    },
  },
  listEvents: {
    good: () => ({ query: { types: 'device-added,message', limit: '3' } }),
    errors: { 404: () => ({ query: { device: 'nobody' } }) },
  },
  listRefused: {
    good(bed) {
      refuse(bed);
      return {};
    },
  },
  admitRefused: {
    good: (bed) => ({ params: { id: refuse(bed) }, body: { name: `admitted ${++number}` } }),
    errors: {
      404: () => ({ params: { id: 999_999 } }),
      409: (bed) => ({ params: { id: refuse(bed) }, body: { name: bed.devices.require(add(bed)).name } }),
    },
  },
  removeRefused: {
    good: (bed) => ({ params: { id: refuse(bed) } }),
    errors: { 404: () => ({ params: { id: 999_999 } }) },
  },
  clearRefused: { good: nothing },
  listTokens: { good: nothing },
  createToken: {
    good: () => ({ body: { name: `program ${++number}`, role: 'read', expiresAt: '2999-01-01T00:00:00Z' } }),
  },
  removeToken: {
    good: (bed) => ({ params: { id: bed.tokens.create(`brief ${++number}`, 'read').facts.id } }),
    errors: { 404: () => ({ params: { id: 'none' } }) },
  },
  createLoginLink: { good: () => ({ body: { role: 'read' } }) },
  login: {
    good: (bed) => ({ as: null, query: { ticket: bed.logins.createTicket('admin') } }),
    errors: { 401: () => ({ as: null, query: { ticket: 'used' } }) },
  },
  logout: { good: nothing },
  loginWithToken: {
    good: (bed) => ({ as: null, body: { token: bed.secrets.read } }),
    errors: { 401: () => ({ as: null, body: { token: 'usmp_unknown' } }) },
  },
  getPage: { good: nothing },
  getAddPage: { good: nothing },
  getDevicePage: { good: () => ({ params: { id: '02:00:00:00:00:01' } }) },
  getRefusedPage: { good: nothing },
  getEventsPage: { good: nothing },
  getSettingsPage: { good: nothing },
  getPageScript: { good: () => asset('scripts'), errors: { 404: () => ({ params: { name: 'old' } }) } },
  getPageStyle: { good: () => asset('styles'), errors: { 404: () => ({ params: { name: 'old' } }) } },
};

/** The path of an operation with the values of a request. */
export function pathOf(template: string, { params = {}, query = {} }: Request): string {
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? 'x'));
  const search = new URLSearchParams(query).toString();
  return search === '' ? path : `${path}?${search}`;
}
