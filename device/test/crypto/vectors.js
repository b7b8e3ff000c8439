#!/usr/bin/env node
/**
 * Writes `seam_vectors.h`: published vectors, each compared with OpenSSL's result before it is written, and pseudo-random
 * ones with results from OpenSSL. `--check` compares the file and writes nothing.
 */

import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('seam_vectors.h', import.meta.url));
const HEX_PER_LINE = 104;

const BASE_POINT = `09${'00'.repeat(31)}`;
const ALICE = '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a';
const ALICE_PUBLIC = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a';
const BOB = '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb';
const BOB_PUBLIC = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
const SHARED = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';

/** RFC 7748 §5.2 and §6.1: scalar, u-coordinate, result. */
const RFC_7748 = [
  [
    'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
    'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
    'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
  ],
  [
    '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
    'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
    '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
  ],
  [BASE_POINT, BASE_POINT, '422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079'],
  [ALICE, BASE_POINT, ALICE_PUBLIC],
  [BOB, BASE_POINT, BOB_PUBLIC],
  [ALICE, BOB_PUBLIC, SHARED],
  [BOB, ALICE_PUBLIC, SHARED],
];

const ascii = (text) => Buffer.from(text).toString('hex');

/** RFC 4231 §4, without the truncated one: key, data, result. */
const RFC_4231 = [
  ['0b'.repeat(20), ascii('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [
    ascii('Jefe'),
    ascii('what do ya want for nothing?'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  [
    Buffer.from(Array.from({ length: 25 }, (_, i) => i + 1)).toString('hex'),
    'cd'.repeat(50),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
  [
    'aa'.repeat(131),
    ascii('Test Using Larger Than Block-Size Key - Hash Key First'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
  [
    'aa'.repeat(131),
    ascii(
      'This is a test using a larger than block-size key and a larger than block-size data. ' +
        'The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  ],
];

const GCM_KEY = 'feffe9928665731c6d6a8f9467308308'.repeat(2);
const GCM_TEXT =
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
  '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255';
const GCM_CIPHERTEXT =
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
  '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad';

/** Test cases 13 to 16 of the GCM submission to NIST: key, nonce, additional data, plaintext, ciphertext and tag. */
const NIST_GCM = [
  ['00'.repeat(32), '00'.repeat(12), '', '', '530f8afbc74536b9a963b4f1c4cb738b'],
  [
    '00'.repeat(32),
    '00'.repeat(12),
    '',
    '00'.repeat(16),
    'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
  ],
  [GCM_KEY, 'cafebabefacedbaddecaf888', '', GCM_TEXT, `${GCM_CIPHERTEXT}b094dac5d93471bdec1a502270e3cc6c`],
  [
    GCM_KEY,
    'cafebabefacedbaddecaf888',
    'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    GCM_TEXT.slice(0, 120),
    `${GCM_CIPHERTEXT.slice(0, 120)}76fc6ece0f4e1768cddf8853bb2d551b`,
  ],
];

/** Bytes that look random and are the same on every machine. */
function pseudoRandom(label, length) {
  const blocks = [];
  for (let i = 0; i * 32 < length; i++) blocks.push(createHash('sha256').update(`${label} ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, length).toString('hex');
}

function x25519(scalar, point) {
  const pkcs8 = Buffer.from(`302e020100300506032b656e04220420${scalar}`, 'hex');
  const spki = Buffer.from(`302a300506032b656e032100${point}`, 'hex');
  return diffieHellman({
    privateKey: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }),
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
  }).toString('hex');
}

const hmac = (key, data) =>
  createHmac('sha256', Buffer.from(key, 'hex')).update(Buffer.from(data, 'hex')).digest('hex');

function gcm(key, nonce, aad, plaintext) {
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'hex'), Buffer.from(nonce, 'hex'));
  cipher.setAAD(Buffer.from(aad, 'hex'));
  const text = Buffer.concat([cipher.update(Buffer.from(plaintext, 'hex')), cipher.final()]);
  return Buffer.concat([text, cipher.getAuthTag()]).toString('hex');
}

/** The rows as they are, if OpenSSL agrees with their last columns. */
function published(rows, compute) {
  for (const row of rows) {
    const result = compute(...row.slice(0, -1));
    if (result !== row.at(-1)) throw new Error(`${row.at(-1)} is not what OpenSSL has: ${result}`);
  }
  return rows;
}

const computed = (rows, compute) => rows.map((row) => [...row, compute(...row)]);

function points() {
  const rows = Array.from({ length: 12 }, (_, i) => [
    pseudoRandom(`scalar ${i}`, 32),
    pseudoRandom(`point ${i}`, 32),
  ]);
  // p + 2, 2^255 - 1 and 2^256 - 1: above the prime, reduced, not refused (RFC 7748 §5)
  for (const point of [`ef${'ff'.repeat(30)}7f`, `${'ff'.repeat(31)}7f`, 'ff'.repeat(32)])
    rows.push([pseudoRandom(`scalar of ${point}`, 32), point]);
  return computed(rows, x25519);
}

function macs() {
  const lengths = [
    [0, 0],
    [0, 3],
    [1, 1],
    [16, 100],
    [17, 55],
    [31, 56],
    [32, 0],
    [32, 64],
    [33, 63],
    [63, 65],
    [64, 103],
    [65, 119],
    [200, 300],
  ];
  return computed(
    lengths.map(([key, data]) => [pseudoRandom(`key ${key}`, key), pseudoRandom(`data ${data}`, data)]),
    hmac,
  );
}

function records() {
  const lengths = [
    [0, 0],
    [0, 10],
    [1, 10],
    [15, 10],
    [16, 10],
    [17, 10],
    [31, 16],
    [32, 10],
    [33, 17],
    [48, 0],
    [452, 10],
    [452, 33],
  ];
  return computed(
    lengths.map(([text, aad]) => [
      pseudoRandom(`key ${text} ${aad}`, 32),
      pseudoRandom(`nonce ${text} ${aad}`, 12),
      pseudoRandom(`aad ${text} ${aad}`, aad),
      pseudoRandom(`text ${text} ${aad}`, text),
    ]),
    gcm,
  );
}

function literal(hex) {
  const lines = hex.match(new RegExp(`.{1,${HEX_PER_LINE}}`, 'g')) ?? [''];
  return lines.map((line) => `"${line}"`).join('\n     ');
}

function table(comment, declaration, rows) {
  const body = rows.map((row) => `    {${row.map(literal).join(',\n     ')}},`).join('\n');
  return `/** ${comment} */\nstatic const ${declaration}[] = {\n${body}\n};\n`;
}

const header = `${[
  '/** Written by vectors.js, do not edit. All bytes are hexadecimal. */',
  '#ifndef USMP_SEAM_VECTORS_H\n#define USMP_SEAM_VECTORS_H\n',
  'typedef struct x25519_vector {\n    const char *scalar, *point, *result;\n} x25519_vector_t;\n',
  'typedef struct hmac_vector {\n    const char *key, *data, *result;\n} hmac_vector_t;\n',
  '/** `sealed` is ciphertext and tag. */',
  'typedef struct gcm_vector {\n    const char *key, *nonce, *aad, *text, *sealed;\n} gcm_vector_t;\n',
  table('RFC 7748 §5.2 and §6.1.', 'x25519_vector_t rfc_7748', published(RFC_7748, x25519)),
  table('Results of OpenSSL.', 'x25519_vector_t openssl_x25519', points()),
  table('RFC 4231 §4.', 'hmac_vector_t rfc_4231', published(RFC_4231, hmac)),
  table('Results of OpenSSL.', 'hmac_vector_t openssl_hmac', macs()),
  table(
    'Test cases 13 to 16 of the GCM submission to NIST.',
    'gcm_vector_t nist_gcm',
    published(NIST_GCM, gcm),
  ),
  table('Results of OpenSSL.', 'gcm_vector_t openssl_gcm', records()),
].join('\n')}\n#endif\n`;

if (process.argv.includes('--check')) {
  if (readFileSync(FILE, 'utf8') !== header) {
    console.error('seam_vectors.h is not what vectors.js writes');
    process.exitCode = 1;
  }
} else {
  writeFileSync(FILE, header);
}
