/**
 * The rules of arduino-lint (its reference: https://arduino.github.io/arduino-lint/latest/rules/library/) as far as they need no
 * network: what the Library Manager demands, and what the IDE makes of a library.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

const CATEGORIES = [
  ...['Display', 'Communication', 'Signal Input/Output', 'Sensors', 'Device Control', 'Timing'],
  ...['Data Storage', 'Data Processing', 'Other'],
];

const KNOWN = [
  ...['name', 'version', 'author', 'maintainer', 'license', 'sentence', 'paragraph', 'category', 'url'],
  ...['architectures', 'depends', 'dot_a_linkage', 'includes', 'precompiled', 'ldflags'],
];
const REQUIRED = ['name', 'version', 'author', 'maintainer', 'sentence', 'paragraph', 'category', 'url'];

const ARCHITECTURES = [
  ...['avr', 'esp32', 'esp8266', 'rp2040', 'samd', 'stm32', 'mbed', 'megaavr', 'sam', 'nrf52', 'renesas'],
];

const KEYWORD_TYPES = ['KEYWORD1', 'KEYWORD2', 'KEYWORD3', 'LITERAL1', 'LITERAL2'];

/** A name that all systems can have in a path. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/**
 * @param {string} folder of a library
 * @returns {Promise<string[]>} what is wrong with it, one line each
 */
export async function lint(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  const properties = parse(await readFile(join(folder, 'library.properties'), 'utf8'));
  return [
    ...checkLayout(basename(folder), entries, files),
    ...checkProperties(properties, files),
    ...checkExamples(files),
    ...checkKeywords(await readFile(join(folder, 'keywords.txt'), 'utf8')),
  ];
}

/** @param {string} text @returns {[string, string][]} */
function parse(text) {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    });
}

/** @param {string} name @param {import('node:fs').Dirent[]} entries @param {string[]} files */
function* checkLayout(name, entries, files) {
  if (!NAME.test(name)) yield `the folder's name ${name} is not allowed`;
  for (const wanted of ['library.properties', 'keywords.txt', 'README.md', 'LICENSE'])
    if (!files.includes(wanted)) yield `${wanted} is missing`;
  if (!files.some((file) => /^src\/[^/]+\.h$/.test(file))) yield 'there is no header in src';
  for (const entry of entries) {
    if (entry.isSymbolicLink()) yield `${entry.name} is a symbolic link`;
    if (/^(\.development|\.gitmodules|\.DS_Store|Thumbs\.db)$|\.exe$/i.test(entry.name))
      yield `${entry.name} does not belong here`;
  }
  const lower = files.map((file) => file.toLowerCase());
  for (const [index, file] of files.entries())
    if (lower.indexOf(file.toLowerCase()) !== index) yield `${file} differs from another file in case alone`;
  for (const wrong of ['Examples', 'example', 'Example', 'Src', 'SRC', 'extra'])
    if (files.some((file) => file.startsWith(`${wrong}/`))) yield `the folder ${wrong} has another name`;
}

/** @param {[string, string][]} fields @param {string[]} files */
function* checkProperties(fields, files) {
  const properties = Object.fromEntries(fields);
  const names = fields.map(([name]) => name);
  for (const name of names) {
    if (!KNOWN.includes(name)) yield `${name} is no field of library.properties`;
    if (names.indexOf(name) !== names.lastIndexOf(name)) yield `${name} stands there twice`;
    if (properties[name] !== properties[name].trim()) yield `${name} has spaces around it`;
  }
  for (const name of REQUIRED) if (!properties[name]) yield `${name} is missing`;
  const {
    name,
    version,
    author,
    maintainer,
    sentence,
    paragraph,
    category,
    url,
    architectures,
    includes,
    license,
  } = properties;
  if (!NAME.test(name ?? '') || /arduino|library/i.test(name ?? '')) yield `the name ${name} is not allowed`;
  if (!/^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/.test(version ?? '')) yield `the version ${version} is none`;
  for (const who of [author, maintainer]) if (/^arduino/i.test(who ?? '')) yield `${who} is not Arduino`;
  if ((paragraph ?? '').includes(sentence ?? ''))
    yield 'the paragraph repeats the sentence, and is shown behind it';
  if (/arduino.*library|^a library/i.test(sentence ?? '')) yield 'that it is a library for Arduino is known';
  if (!CATEGORIES.includes(category ?? '')) yield `the category ${category} is none`;
  if (!URL.canParse(url ?? '') || !(url ?? '').startsWith('http')) yield `the url ${url} is none`;
  for (const architecture of (architectures ?? '').split(','))
    if (!ARCHITECTURES.includes(architecture)) yield `the architecture ${architecture} is not known`;
  for (const header of (includes ?? '').split(','))
    if (!files.includes(`src/${header.trim()}`)) yield `the header ${header} of includes is missing`;
  if (license === undefined) yield 'the license is not named';
}

/** @param {string[]} files */
function* checkExamples(files) {
  const sketches = files.filter((file) => file.startsWith('examples/'));
  if (sketches.length === 0) yield 'there are no examples';
  for (const file of sketches) {
    const parts = file.split('/');
    if (parts.length !== 3 || parts[2] !== `${parts[1]}.ino`) yield `${file} is not named after its folder`;
    if (!NAME.test(parts[1])) yield `the name ${parts[1]} is not allowed`;
  }
}

/** @param {string} text of keywords.txt */
function* checkKeywords(text) {
  const seen = new Set();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [keyword, type, ...rest] = line.split('\t');
    if (rest.length > 1 || !KEYWORD_TYPES.includes(type))
      yield `keywords.txt: "${line}" is not KEYWORD, tab, type`;
    if (!/^\w+$/.test(keyword)) yield `keywords.txt: ${keyword} is no word`;
    if (seen.has(keyword)) yield `keywords.txt: ${keyword} stands there twice`;
    seen.add(keyword);
  }
}
