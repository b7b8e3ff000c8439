/**
 * How much stack the core needs: of what gcc writes down of each function (-fcallgraph-info=su), the deepest way down from every
 * public one. Functions of libraries count nothing here: BearSSL's need more than the core (`device/SIZE.md` measures the whole).
 */

/**
 * @typedef {object} Frame
 * @property {string} name with its file where it is static
 * @property {number} bytes @property {string} kind static, or dynamic and the like
 * @property {Set<string>} calls
 */

/**
 * @param {readonly string[]} graphs the texts of .ci files
 * @returns {Map<string, Frame>}
 */
export function readGraphs(graphs) {
  /** @type {Map<string, Frame>} */
  const frames = new Map();
  for (const graph of graphs) {
    for (const [, title, label] of graph.matchAll(/node: \{ title: "([^"]+)" label: "([^"]*)"/g)) {
      const used = /(\d+) bytes \(([^)]+)\)/.exec(label);
      if (used === null) continue;
      frames.set(title, { name: title, bytes: Number(used[1]), kind: used[2], calls: new Set() });
    }
    for (const [, from, to] of graph.matchAll(/edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"/g)) {
      frames.get(from)?.calls.add(to);
    }
  }
  return frames;
}

/**
 * @typedef {object} Path
 * @property {number} bytes
 * @property {string[]} names
 */

/**
 * The way down that takes most.
 *
 * @param {Map<string, Frame>} frames @param {string} name @param {readonly string[]} above
 * @param {Map<string, Path>} known
 * @returns {Path}
 */
export function deepest(frames, name, above = [], known = new Map()) {
  const frame = frames.get(name);
  if (frame === undefined) return { bytes: 0, names: [] };
  if (above.includes(name)) throw new Error(`recursion: ${[...above, name].join(' → ')}`);
  let path = known.get(name);
  if (path === undefined) {
    /** @type {Path} */
    let below = { bytes: 0, names: [] };
    for (const called of frame.calls) {
      const next = deepest(frames, called, [...above, name], known);
      if (next.bytes > below.bytes) below = next;
    }
    path = { bytes: frame.bytes + below.bytes, names: [short(name), ...below.names] };
    known.set(name, path);
  }
  return path;
}

/** Without the file. @param {string} name */
function short(name) {
  return name.slice(name.lastIndexOf(':') + 1);
}
