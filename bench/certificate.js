/** A throwaway identity for the TLS server and its clients: EC P-256, self-signed, kept in memory. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const DAY = 86_400_000;

const Tag = {
  INTEGER: 0x02,
  BITS: 0x03,
  OCTETS: 0x04,
  OID: 0x06,
  UTF8: 0x0c,
  TIME: 0x17,
  SEQUENCE: 0x30,
  SET: 0x31,
};
const Oid = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
};

/** @returns {{ key: string, cert: string }} PEM; valid for localhost from yesterday until tomorrow */
export function makeIdentity() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = sequence(oid(Oid.ecdsaWithSha256));
  const name = sequence(der(Tag.SET, sequence(oid(Oid.commonName), der(Tag.UTF8, Buffer.from('localhost')))));
  const isAuthority = sequence(Buffer.from('0101ff', 'hex'));
  const localhost = sequence(der(0x82, Buffer.from('localhost')));
  const certificate = sequence(
    der(0xa0, der(Tag.INTEGER, Buffer.of(2))), // version 3
    der(Tag.INTEGER, Buffer.concat([Buffer.of(0x01), randomBytes(8)])),
    algorithm,
    name,
    sequence(time(Date.now() - DAY), time(Date.now() + DAY)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(extension(Oid.basicConstraints, isAuthority), extension(Oid.subjectAltName, localhost)),
    ),
  );
  const signature = sign('sha256', certificate, privateKey);
  const signed = sequence(certificate, algorithm, der(Tag.BITS, Buffer.of(0), signature));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${signed.toString('base64')}\n-----END CERTIFICATE-----\n`,
  };
}

/** Tag, length, value (X.690). @param {number} tag @param {Buffer[]} parts */
function der(tag, ...parts) {
  const value = Buffer.concat(parts);
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), value]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), value]);
}

/** @param {Buffer[]} parts */
function sequence(...parts) {
  return der(Tag.SEQUENCE, ...parts);
}

/** @param {string} hex */
function oid(hex) {
  return der(Tag.OID, Buffer.from(hex, 'hex'));
}

/** @param {string} id @param {Buffer} value */
function extension(id, value) {
  return sequence(oid(id), der(Tag.OCTETS, value));
}

/** UTCTime: YYMMDDHHMMSSZ. @param {number} milliseconds */
function time(milliseconds) {
  const digits = new Date(milliseconds).toISOString().replace(/\D/g, '').slice(2, 14);
  return der(Tag.TIME, Buffer.from(`${digits}Z`));
}
