/** Writes ZIP archives (APPNOTE.TXT 6.3.3) that depend on nothing but the names and bytes of their files. */
import { crc32, deflateRawSync } from 'node:zlib';

/** Of the format: 2.0, which has folders and Deflate. */
const VERSION = 20;
/** The system whose permissions stand in the archive: Unix. */
const UNIX = 3;
const DEFLATE = 8;
const UTF8_NAMES = 0x0800;
/** -rw-r--r-- of a plain file, as Unix has it. */
const MODE = 0o100644;
/** The first of January 1980, 0:00, before which there is no time. */
const DATE = 0x0021;

/**
 * @param {readonly { name: string, bytes: Buffer }[]} files in the order in which they shall stand there; `/` between folders
 * @returns {Buffer}
 */
export function zip(files) {
  const locals = [];
  const entries = [];
  let offset = 0;
  for (const { name, bytes } of files) {
    const path = Buffer.from(name);
    const packed = deflateRawSync(bytes, { level: 9 });
    const facts = factsOf(path, bytes, packed);
    const local = Buffer.concat([words(0x50, 0x4b, 0x03, 0x04), facts, path, packed]);
    const where = Buffer.alloc(14);
    // Comment, disk and internal attributes stay 0.
    where.writeUInt32LE(MODE * 0x10000, 6);
    where.writeUInt32LE(offset, 10);
    entries.push(words(0x50, 0x4b, 0x01, 0x02), words(VERSION, UNIX), facts, where, path);
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** What both headers of a file have in common. @param {Buffer} path @param {Buffer} bytes @param {Buffer} packed */
function factsOf(path, bytes, packed) {
  const facts = Buffer.alloc(26);
  facts.writeUInt16LE(VERSION, 0);
  facts.writeUInt16LE(UTF8_NAMES, 2);
  facts.writeUInt16LE(DEFLATE, 4);
  facts.writeUInt16LE(DATE, 8);
  facts.writeUInt32LE(crc32(bytes), 10);
  facts.writeUInt32LE(packed.length, 14);
  facts.writeUInt32LE(bytes.length, 18);
  facts.writeUInt16LE(path.length, 22);
  return facts;
}

/** @param {number[]} bytes */
function words(...bytes) {
  return Buffer.from(bytes);
}
