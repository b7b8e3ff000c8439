/**
 * The rules of arduino-lint for libraries (its reference: https://arduino.github.io/arduino-lint/latest/rules/library/) in its strict
 * setting, for a library that is to be submitted, as far as they need neither network nor dictionary; and of keywords.txt what the IDE
 * reads.
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
const REQUIRED = [
  ...['name', 'version', 'author', 'maintainer', 'sentence', 'paragraph', 'category', 'url'],
  'architectures',
];

/** Those of the cores that there are; PlatformIO's names for them are none. */
const ARCHITECTURES = [
  ...['avr', 'esp32', 'esp8266', 'rp2040', 'samd', 'stm32', 'mbed', 'megaavr', 'sam', 'nrf52', 'renesas'],
];

const KEYWORD_TYPES = ['KEYWORD1', 'KEYWORD2', 'KEYWORD3', 'LITERAL1', 'LITERAL2'];

/** Of a folder or a sketch: what all systems can have in a path. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Of a library, in library.properties. */
const LIBRARY_NAME = /^(?:[A-Za-z][A-Za-z0-9 _.-]*|[0-9][A-Za-z0-9 _.-]*[A-Za-z][A-Za-z0-9 _.-]*)$/;
const RECOMMENDED_LENGTH = 16;

const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?$/;

/** One of "depends": a name, and perhaps a version in brackets. */
const DEPENDENCY = /^[A-Za-z0-9][A-Za-z0-9 _.-]*( \( *(<|<=|=|>=|>)\d+(\.\d+){0,2}(-[\w.-]+)? *\))?$/;

/** What lies in the first level of the library, and how its name is got wrong. */
const MISSPELLED = /** @type {const} */ ([
  ['src', /^src$/i],
  ['extras', /^extras?$/i],
  ['examples', /^e(x|xs|s)(am|ma)p(le|el)s?$/i],
  ['library.properties', /^librar(y|ie)s?[.\-_]?propert(y|ie)s?$/i],
]);

/** @typedef {Map<string, string>} Files their text, by path with `/` */

/**
 * @param {string} folder of a library
 * @returns {Promise<string[]>} what is wrong with it, one line each
 */
export async function lint(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  /** @type {Files} */
  const files = new Map();
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), await readFile(path, 'utf8'));
  }
  const links = entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
  return [
    ...links.map((name) => `${name} is a symbolic link`),
    ...checkLayout(basename(folder), files),
    ...checkSources(files),
    ...checkProperties(files),
    ...checkExamples(files),
    ...checkKeywords(files.get('keywords.txt') ?? ''),
  ];
}

/* ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @param {string} name @param {Files} files */
function* checkLayout(name, files) {
  const paths = [...files.keys()];
  if (!NAME.test(name)) yield `the folder's name "${name}" is not allowed`;
  if (!paths.some((path) => /^(docs\/|\.github\/)?readme\.(md|markdown|txt|rst|adoc)$/i.test(path)))
    yield 'README is missing';
  if (!paths.some((path) => /^(licen[sc]e|copying)(\.(md|txt))?$/i.test(path))) yield 'LICENSE is missing';
  for (const wanted of ['library.properties', 'keywords.txt'])
    if (!files.has(wanted)) yield `${wanted} is missing`;
  if (files.has('src/library.properties')) yield 'src/library.properties is one too many';
  for (const path of paths) {
    if (/^(\.development|\.gitmodules)$|(^|\/)(\.DS_Store|Thumbs\.db)$|\.exe$/i.test(path))
      yield `${path} does not belong here`;
    const twin = paths.find((other) => other < path && other.toLowerCase() === path.toLowerCase());
    if (twin !== undefined) yield `${path} differs from ${twin} in case alone`;
  }
  for (const first of new Set(paths.map((path) => path.split('/')[0])))
    for (const [right, pattern] of MISSPELLED)
      if (first !== right && pattern.test(first)) yield `${first} should be ${right}`;
}

/** @param {Files} files */
function* checkSources(files) {
  const paths = [...files.keys()];
  const headers = headersOf(files);
  const { name } = Object.fromEntries(parse(files.get('library.properties') ?? ''));
  if (headers.length === 0) yield 'there is no header in src';
  else if (!headers.some((header) => header.replace(/\.\w+$/, '') === name?.replaceAll(/[^\w.-]/g, '_')))
    yield `there is no header named ${name}`;
  if (paths.some((path) => path.startsWith('utility/')))
    yield 'the folder utility is not compiled beside src';
  for (const [path, text] of files) {
    if (!/\.(ino|pde|c|cpp|h|hh|hpp|S)$/.test(path)) continue;
    const include = /^\s*#\s*include\s*["<]((?:a[Rr][Dd][Uu][Ii][Nn][Oo]|ARDUINO)\.[Hh])[">]/m.exec(text);
    if (include !== null) yield `${path} includes ${include[1]}`;
  }
}

/** Those that a sketch can include. @param {Files} files */
function headersOf(files) {
  return [...files.keys()]
    .filter((path) => /^src\/[^/]+\.(h|hh|hpp)$/.test(path))
    .map((path) => path.slice('src/'.length));
}

/** @param {Files} files */
function* checkExamples(files) {
  const paths = [...files.keys()];
  const sketches = paths.filter((path) => path.startsWith('examples/'));
  if (!sketches.some((path) => path.endsWith('.ino'))) yield 'there are no examples';
  for (const path of sketches) {
    const parts = path.split('/');
    if (parts.length !== 3 || parts[2] !== `${parts[1]}.ino`) yield `${path} is not named after its folder`;
    if (!NAME.test(parts[1])) yield `the name "${parts[1]}" is not allowed`;
  }
  for (const path of paths) {
    if (path.endsWith('.pde')) yield `${path} has the suffix of old sketches`;
    if (path.endsWith('.ino') && !/^(examples|extras)\//.test(path)) yield `${path} is not in examples`;
  }
}

/* ── library.properties ──────────────────────────────────────────────────────────────────────────────────────────── */

/** @param {string} text @returns {[string, string][]} */
function parse(text) {
  return linesOf(text)
    .filter((line) => line.includes('='))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
}

/** @param {string} text */
function linesOf(text) {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** @param {Files} files */
function* checkProperties(files) {
  const text = files.get('library.properties') ?? '';
  for (const line of linesOf(text)) if (!line.includes('=')) yield `"${line}" has no "="`;
  const fields = parse(text);
  const names = fields.map(([name]) => name);
  for (const [name, value] of fields) {
    if (!KNOWN.includes(name)) yield `${name} is no field of library.properties`;
    if (names.indexOf(name) !== names.lastIndexOf(name)) yield `${name} stands there twice`;
    if (value !== value.trim()) yield `${name} has spaces around it`;
    if (value === '' && name !== 'paragraph') yield `${name} is empty`;
  }
  for (const name of REQUIRED) if (!names.includes(name)) yield `${name} is missing`;
  const properties = Object.fromEntries(fields);
  yield* checkName(properties.name ?? 'USMP');
  yield* checkTexts(properties);
  yield* checkChoices(properties, headersOf(files));
}

/** @param {string} name */
function* checkName(name) {
  if (!LIBRARY_NAME.test(name)) yield `the name ${name} has characters that are not allowed`;
  if (name.length > RECOMMENDED_LENGTH)
    yield `the name has ${name.length} characters, at most ${RECOMMENDED_LENGTH}`;
  if (/arduino/i.test(name)) yield `the name ${name} is one of Arduino`;
  if (/library/i.test(name)) yield `that ${name} is a library is known`;
  if (name.includes(' ')) yield `the name ${name} has spaces`;
}

/** @param {Record<string, string>} properties */
function* checkTexts({ version = '0.0.0', maintainer = '', sentence = '', paragraph = '', url, license }) {
  if (!SEMVER.test(version)) yield `the version ${version} is none`;
  if (/arduino/i.test(maintainer)) yield `the maintainer ${maintainer} is not Arduino`;
  if (sentence !== '' && paragraph.startsWith(sentence))
    yield 'the paragraph repeats the sentence, and is shown behind it';
  if (url !== undefined && !(URL.canParse(url) && /^https?:/.test(url))) yield `the url ${url} is none`;
  if (license === undefined) yield 'the license is not named';
}

/** @param {Record<string, string>} properties @param {string[]} headers */
function* checkChoices(properties, headers) {
  const { category = 'Other', architectures = 'avr', includes, depends } = properties;
  if (!CATEGORIES.includes(category)) yield `the category ${category} is none`;
  for (const architecture of listOf(architectures))
    if (!ARCHITECTURES.includes(architecture)) yield `the architecture ${architecture} is not known`;
  for (const header of listOf(includes))
    if (!headers.includes(header)) yield `the header ${header} of includes is missing`;
  for (const library of listOf(depends))
    if (!DEPENDENCY.test(library)) yield `depends: "${library}" is no library with a version`;
  for (const [name, values] of Object.entries({
    dot_a_linkage: ['true', 'false'],
    precompiled: ['true', 'full', 'false'],
  }))
    if (properties[name] !== undefined && !values.includes(properties[name]))
      yield `${name} is ${properties[name]}, not ${values.join(' or ')}`;
}

/** @param {string | undefined} text separated by commas */
function listOf(text) {
  return text === undefined ? [] : text.split(',').map((part) => part.trim());
}

/* ── keywords.txt ────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @param {string} text */
function* checkKeywords(text) {
  const seen = new Set();
  for (const line of linesOf(text)) {
    const [keyword, type, ...rest] = line.split('\t');
    if (rest.length > 1 || !KEYWORD_TYPES.includes(type))
      yield `keywords.txt: "${line}" is not KEYWORD, tab, type`;
    if (!/^\w+$/.test(keyword)) yield `keywords.txt: ${keyword} is no word`;
    if (seen.has(keyword)) yield `keywords.txt: ${keyword} stands there twice`;
    seen.add(keyword);
  }
}
