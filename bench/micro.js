#!/usr/bin/env node
/**
 * What the single steps of a handshake and of a session frame cost in node:crypto, by each way of asking for them.
 * CPU time of this process, garbage collection included. `node bench/micro.js [PART OF A NAME]`
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import { frameCrc } from './load/wire.js';
import { machine, median, significant, table } from './report.js';

const ROUNDS = 5;
const ROUND_MS = 150;
/** Calls between two looks at the clock. */
const BATCH = 50;

const AES = 'aes-256-gcm';
const NONCE_BYTES = 12;
const AAD_BYTES = 10;
const TAG_BYTES = 16;
/** Header, nonce and tag of a session frame. */
const FRAME_OVERHEAD = 40;

const only = process.argv[2] ?? '';
const rows = Object.entries({ ...handshakeSteps(), ...recordSteps() })
  .filter(([name]) => name.includes(only))
  .map(([name, step]) => [name, ...cost(step)]);
if (rows.length === 0) {
  process.stderr.write(`nothing here has '${only}' in its name\n`);
  process.exit(2);
}
console.log(`${machine()}\nµs of CPU a call, ${ROUNDS} rounds\n`);
console.log(table([['', 'median', 'least', 'most'], ...rows]));

/** @returns {Record<string, () => unknown>} */
function handshakeSteps() {
  const { privateKey } = generateKeyPairSync('x25519');
  const { publicKey } = generateKeyPairSync('x25519');
  const { x } = publicKey.export({ format: 'jwk' });
  const jwk = /** @type {const} */ ({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
  const der = /** @type {const} */ ({
    key: publicKey.export({ format: 'der', type: 'spki' }),
    format: 'der',
    type: 'spki',
  });
  const [psk, secret, salt, info] = [20, 32, 32, 71].map((length) => randomBytes(length));
  const pskObject = createSecretKey(psk);
  const transcript = randomBytes(4 + 32 + 16 + 32 + 32);
  return {
    'X25519 generate': () => generateKeyPairSync('x25519'),
    'X25519 generate, JWK': () =>
      generateKeyPairSync('x25519', {
        publicKeyEncoding: { format: 'jwk' },
        privateKeyEncoding: { format: 'jwk' },
      }),
    'X25519 export public, JWK': () => publicKey.export({ format: 'jwk' }),
    'X25519 export public, DER': () => publicKey.export({ format: 'der', type: 'spki' }),
    'X25519 import public, JWK': () => createPublicKey(jwk),
    'X25519 import public, DER': () => createPublicKey(der),
    'X25519 agree, peer imported once': () => diffieHellman({ privateKey, publicKey }),
    'X25519 agree, peer imported as JWK': () =>
      diffieHellman({ privateKey, publicKey: createPublicKey(jwk) }),
    'HMAC of 116 bytes, raw key': () => createHmac('sha256', psk).update(transcript).digest(),
    'HMAC of 116 bytes, KeyObject': () => createHmac('sha256', pskObject).update(transcript).digest(),
    'HKDF to 64 bytes': () => hkdfSync('sha256', secret, salt, info, 64),
    'HKDF to 64 bytes, of three HMAC': () => hkdfOfHmac(secret, salt, info),
    'random 48 bytes': () => randomBytes(48),
    'key object of 32 bytes': () => createSecretKey(secret),
  };
}

/** @returns {Record<string, () => unknown>} */
function recordSteps() {
  const raw = randomBytes(32);
  const keys = { 'raw key': raw, KeyObject: createSecretKey(raw) };
  const nonce = randomBytes(NONCE_BYTES);
  const aad = randomBytes(AAD_BYTES);
  /** @type {Record<string, () => unknown>} */
  const steps = {};
  for (const size of [64, 452]) {
    const text = randomBytes(size);
    const frame = randomBytes(FRAME_OVERHEAD + size);
    for (const [kind, key] of Object.entries(keys)) {
      const sealed = seal(key, nonce, aad, text);
      steps[`seal ${size} bytes, ${kind}`] = () => seal(key, nonce, aad, text);
      steps[`open ${size} bytes, ${kind}`] = () => open(key, nonce, aad, sealed);
    }
    steps[`CRC-16 of a frame with ${size} bytes`] = () => frameCrc(frame);
  }
  return steps;
}

/** @param {Buffer} secret @param {Buffer} salt @param {Buffer} info at most 64 bytes out (RFC 5869) */
function hkdfOfHmac(secret, salt, info) {
  const prk = createHmac('sha256', salt).update(secret).digest();
  const first = createHmac('sha256', prk).update(info).update(Uint8Array.of(1)).digest();
  const second = createHmac('sha256', prk).update(first).update(info).update(Uint8Array.of(2)).digest();
  return Buffer.concat([first, second]);
}

/** @typedef {import('node:crypto').KeyObject | Buffer} Key */

/** @param {Key} key @param {Buffer} nonce @param {Buffer} aad @param {Buffer} text */
function seal(key, nonce, aad, text) {
  const cipher = createCipheriv(AES, key, nonce);
  cipher.setAAD(aad);
  const sealed = cipher.update(text);
  cipher.final();
  return Buffer.concat([sealed, cipher.getAuthTag()]);
}

/** @param {Key} key @param {Buffer} nonce @param {Buffer} aad @param {Buffer} sealed */
function open(key, nonce, aad, sealed) {
  const decipher = createDecipheriv(AES, key, nonce);
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const text = decipher.update(sealed.subarray(0, -TAG_BYTES));
  decipher.final();
  return text;
}

/** @param {() => unknown} step @returns {string[]} median, least and most of the rounds, after one to warm up */
function cost(step) {
  round(step);
  const rounds = Array.from({ length: ROUNDS }, () => round(step));
  return [median(rounds), Math.min(...rounds), Math.max(...rounds)].map(significant);
}

/** @param {() => unknown} step @returns {number} µs of CPU a call */
function round(step) {
  const start = process.cpuUsage();
  const end = performance.now() + ROUND_MS;
  let calls = 0;
  while (performance.now() < end) {
    for (let i = 0; i < BATCH; i++) step();
    calls += BATCH;
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / calls;
}
