/**
 * Devices in the order of the gateway, read page by page as far down as somebody looks, and kept up to date by events.
 * Plain objects and one number that rises: thousands of events change what is shown four times a second at most.
 *
 * @module
 */

import type { Device, DevicePage, GatewayEvent } from '../api/types.js';

export interface DeviceQuery {
  readonly search?: string | undefined;
  readonly tag?: string | undefined;
  readonly state?: string | undefined;
  readonly sort?: string | undefined;
  readonly descending?: boolean | undefined;
}

export type ReadPage = (query: DeviceQuery & { after?: string; limit: number }) => Promise<DevicePage>;

/** Devices of one request. */
export const PAGE = 250;

export interface DeviceListOptions {
  readonly readPage: ReadPage;
  /** Called when there is something new to show. */
  readonly changed: () => void;
  readonly failed: (error: unknown) => void;
}

export class DeviceList {
  readonly #options: DeviceListOptions;
  #query: DeviceQuery = {};
  #rows: Device[] = [];
  readonly #places = new Map<string, number>();
  #next: string | undefined;
  #total = 0;
  /** Of requests under way only the answer to the last one counts. */
  #generation = 0;
  #reading = false;
  #wanted = 0;
  /** Events since the request under way: its answer may be older than they are. */
  #meanwhile: GatewayEvent[] = [];
  #loaded = false;
  #stale = false;

  constructor(options: DeviceListOptions) {
    this.#options = options;
  }

  /** How many there are, read or not. */
  get total(): number {
    return this.#total;
  }

  /** Whether there is an answer to the query. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Whether devices have come, gone, or moved since it was read. */
  get stale(): boolean {
    return this.#stale;
  }

  /** Devices that were read, from the beginning on. */
  get read(): number {
    return this.#rows.length;
  }

  row(index: number): Device | undefined {
    return this.#rows[index];
  }

  get(id: string): Device | undefined {
    const place = this.#places.get(id);
    return place === undefined ? undefined : this.#rows[place];
  }

  /** Begins anew with another query; what is shown stays until its answer is there. */
  open(query: DeviceQuery): Promise<void> {
    this.#query = query;
    this.#loaded = false;
    return this.reload();
  }

  /** Reads again as far down as somebody looks, at least a page. */
  async reload(): Promise<void> {
    const generation = ++this.#generation;
    this.#reading = true;
    this.#meanwhile = [];
    try {
      const page = await this.#options.readPage({ ...this.#query, limit: PAGE });
      if (generation !== this.#generation) return;
      this.#rows = [];
      this.#places.clear();
      this.#stale = false;
      this.#loaded = true;
      this.#take(page);
    } catch (error) {
      if (generation === this.#generation) this.#options.failed(error);
    } finally {
      if (generation === this.#generation) this.#reading = false;
    }
    this.#options.changed();
    // Who looks further down than the first page still does.
    this.want(this.#wanted);
  }

  /** Says how far down rows are shown: what is missing is read, one page after the other. */
  want(end: number): void {
    this.#wanted = end;
    if (!this.#reading && this.#loaded && this.#rows.length < this.#wanted) void this.#readOn();
  }

  async #readOn(): Promise<void> {
    const generation = this.#generation;
    this.#reading = true;
    try {
      while (this.#rows.length < this.#wanted && this.#next !== undefined) {
        this.#meanwhile = [];
        const page = await this.#options.readPage({ ...this.#query, after: this.#next, limit: PAGE });
        if (generation !== this.#generation) return;
        this.#take(page);
        this.#options.changed();
      }
    } catch (error) {
      if (generation === this.#generation) this.#options.failed(error);
    } finally {
      if (generation === this.#generation) this.#reading = false;
    }
  }

  /** Changes the row of a device, if it was read. Returns whether something shown may have changed. */
  apply(event: GatewayEvent): boolean {
    if (this.#reading) this.#meanwhile.push(event);
    if (event.type === 'device-added' || event.type === 'device-removed' || event.type === 'device-changed') {
      this.#stale = true;
      return true;
    }
    if (event.type !== 'connected' && event.type !== 'disconnected') return false;
    if (this.#query.state !== undefined) this.#stale = true;
    const place = event.device === null ? undefined : this.#places.get(event.device);
    if (place === undefined) return this.#stale;
    const device = this.#rows[place]!;
    this.#rows[place] =
      event.type === 'connected' ? withSession(device, event) : withoutSession(device, event);
    return true;
  }

  /** Puts a device that was read by itself into its row. */
  replace(device: Device): void {
    const place = this.#places.get(device.id);
    if (place !== undefined) this.#rows[place] = device;
  }

  #take({ devices, next, total }: DevicePage): void {
    for (const device of devices) {
      // A device that was moved down meanwhile may come twice.
      if (this.#places.has(device.id)) continue;
      this.#places.set(device.id, this.#rows.length);
      this.#rows.push(device);
    }
    this.#next = next ?? undefined;
    this.#total = next === null ? this.#rows.length : Math.max(total, this.#rows.length);
    for (const event of this.#meanwhile.splice(0)) this.apply(event);
  }
}

function withSession(device: Device, { at, data }: GatewayEvent): Device {
  const text = (name: string) => String(data[name] ?? '');
  if (device.session?.id === data.session) return device;
  return {
    ...device,
    online: true,
    lastConnectedAt: at,
    lastSeenAt: at,
    lastAddress: text('peer'),
    lastTransport: text('transport'),
    session: {
      device: device.id,
      id: text('session'),
      transport: text('transport'),
      peer: text('peer'),
      since: at,
      keyIndex: Number(data.keyIndex ?? 0),
      rtt: null,
      ...{ messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, framesRetransmitted: 0, unconfirmed: 0 },
    },
  };
}

function withoutSession(device: Device, { at, data }: GatewayEvent): Device {
  // The end of a session that another one has replaced already.
  if (device.session !== null && data.session !== undefined && device.session.id !== data.session)
    return device;
  return { ...device, online: false, lastSeenAt: at, session: null };
}
