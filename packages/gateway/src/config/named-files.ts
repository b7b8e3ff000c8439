/**
 * The files that a configuration names.
 *
 * @module
 */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { reasonOf } from './config-file.js';
import type { LoadedConfig } from './load.js';

/**
 * What is wrong with the files of TLS, as problems of `ConfigError` are written. Not a part of loading, because commands
 * that only need the data folder may be run by those who cannot read them.
 */
export function problemsOfFiles({ config, origins }: LoadedConfig, now = Date.now()): readonly string[] {
  const { tls } = config.http;
  if (tls === undefined) return [];
  const say = (option: string, text: string) => `${origins.get(option)}: ${option}: ${text}`;
  const cert = read(tls.cert);
  const key = read(tls.key);
  const unread = [
    ...(typeof cert === 'string' ? [say('http.tls_cert', `${tls.cert} cannot be read: ${cert}`)] : []),
    ...(typeof key === 'string' ? [say('http.tls_key', `${tls.key} cannot be read: ${key}`)] : []),
  ];
  if (typeof cert === 'string' || typeof key === 'string') return unread;
  const objection = certificateObjection(cert, now);
  if (objection !== undefined) return [say('http.tls_cert', `${tls.cert} ${objection}`)];
  return pairFits(cert, key)
    ? []
    : [say('http.tls_key', `${tls.key} is not the private key of ${tls.cert}, in PEM without a passphrase`)];
}

/** The bytes, or why there are none. */
function read(file: string): Buffer | string {
  try {
    return readFileSync(file);
  } catch (error) {
    return reasonOf(error as NodeJS.ErrnoException);
  }
}

function certificateObjection(pem: Buffer, now: number): string | undefined {
  try {
    const { validTo } = new X509Certificate(pem);
    return Date.parse(validTo) < now ? `has expired: it was valid until ${validTo}` : undefined;
  } catch {
    return 'is no certificate in PEM';
  }
}

/** The error is not told: it might quote what it has read. */
function pairFits(cert: Buffer, key: Buffer): boolean {
  try {
    createSecureContext({ cert, key });
    return true;
  } catch {
    return false;
  }
}
