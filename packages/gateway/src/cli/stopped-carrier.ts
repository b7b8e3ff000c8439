/**
 * Requests to a gateway that is stopped: this process answers them itself.
 *
 * @module
 */

import type { Config } from '../config/config.js';
import { type OfflineGateway, openOffline } from '../offline.js';
import type { MasterKeyRotation } from '../registry/master-key-rotation.js';
import type { Carrier, WireAnswer, WireRequest } from './api-client.js';

/** Asks the API within this process. */
export class StoppedCarrier implements Carrier {
  readonly stream = undefined;
  readonly #gateway: OfflineGateway;

  private constructor(gateway: OfflineGateway) {
    this.#gateway = gateway;
  }

  /** @throws {GatewayError} `conflict`: another process has the data folder */
  static async open(config: Config, notice: (message: string) => void): Promise<StoppedCarrier> {
    return new StoppedCarrier(await openOffline(config, process.env, notice));
  }

  async send({ method, path, headers, body }: WireRequest): Promise<WireAnswer> {
    const answer = await this.#gateway.app.inject({
      method,
      url: path,
      headers: { ...headers, authorization: `Bearer ${this.#gateway.token}` },
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      contentType: String(answer.headers['content-type'] ?? ''),
      text: answer.body,
    };
  }

  rotateMasterKey = (): MasterKeyRotation => this.#gateway.rotateMasterKey();

  close(): Promise<void> {
    return this.#gateway.close();
  }
}
