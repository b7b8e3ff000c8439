/**
 * Reads the text of a configuration file: which option stands in which line, and which names mean nothing.
 *
 * @module
 */

import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import { findOption, OPTIONS, TABLES } from './options.js';
import { didYouMean } from './suggest.js';

/** A value that was written for an option, not checked yet. */
export interface FileEntry {
  readonly value: unknown;
  readonly line: number;
  /** Of a list: the lines of its elements. */
  readonly elementLines: readonly number[];
}

export interface FileProblem {
  readonly line: number;
  /** Of a syntax error alone. */
  readonly column?: number;
  /** Without the file's name and the line. */
  readonly text: string;
}

export interface FileContent {
  /** By the path of the option. */
  readonly entries: ReadonlyMap<string, FileEntry>;
  readonly problems: readonly FileProblem[];
}

/** TOML 1.0, which all other tools read as well. A file with a syntax error has no entries. */
export function readTOML(text: string): FileContent {
  let program: AST.TOMLProgram;
  try {
    program = parseTOML(text, { tomlVersion: '1.0.0' });
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return { entries: new Map(), problems: [syntaxProblem(error, text)] };
  }
  const reader = new Reader();
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLTable') reader.table(node);
    else reader.keyValue(node, []);
  }
  return reader;
}

/** Lines and columns begin with 1, as editors count. */
function syntaxProblem(error: ParseError, text: string): FileProblem {
  const line = text.split(/\r?\n/)[error.lineNumber - 1] ?? '';
  // What is forgotten most often.
  const unquoted = /^\s*[\w.-]+\s*=\s*(?!true|false|inf|nan)[a-z./]/i.test(line)
    ? ': text stands in quotes'
    : '';
  return {
    line: error.lineNumber,
    column: error.column + 1,
    text: `this is no TOML: ${lowerFirst(error.message)}${unquoted}`,
  };
}

class Reader implements FileContent {
  readonly entries = new Map<string, FileEntry>();
  readonly problems: FileProblem[] = [];

  table(node: AST.TOMLTable): void {
    const path = pathOf([], node.key);
    const name = path.join('.');
    const { line } = node.loc.start;
    if (!TABLES.includes(name)) this.#wrongTable(name, line);
    else if (node.kind === 'array')
      this.#problem(line, `[[${name}]] makes a list of tables: write [${name}], once`);
    else for (const member of node.body) this.keyValue(member, path);
  }

  keyValue(node: AST.TOMLKeyValue, table: readonly string[]): void {
    const path = pathOf(table, node.key);
    const name = path.join('.');
    const { line } = node.loc.start;
    const inline = node.value.type === 'TOMLInlineTable' ? node.value : undefined;
    if (TABLES.includes(name)) {
      if (inline === undefined)
        this.#problem(line, `${name} is a table: write [${name}] and its options below it`);
      else for (const member of inline.body) this.keyValue(member, path);
    } else if (findOption(name) !== undefined) {
      this.entries.set(name, entryOf(node));
    } else if (inline !== undefined) {
      this.#wrongTable(name, line);
    } else {
      const known = OPTIONS.map((option) => option.path);
      const allowed = OPTIONS.filter((option) => option.table === table.join('.')).map(
        (option) => option.name,
      );
      const place = table.length === 0 ? 'the options outside of tables' : `those of [${table.join('.')}]`;
      const help = didYouMean(name, known) ?? `${place} are ${allowed.join(', ')}`;
      this.#problem(line, `${name}: there is no such option: ${help}`);
    }
  }

  #wrongTable(name: string, line: number): void {
    const option = findOption(name);
    if (option !== undefined) {
      this.#problem(line, `${name} is an option and no table: write ${option.name} = …`);
      return;
    }
    // [http.tls] was meant for an option, if for anything.
    const known = name.includes('.') ? OPTIONS.map(({ path }) => path) : TABLES;
    const help = didYouMean(name, known) ?? `the tables are ${TABLES.join(', ')}`;
    this.#problem(line, `[${name}]: there is no such table: ${help}`);
  }

  #problem(line: number, text: string): void {
    this.problems.push({ line, text });
  }
}

/** Names; what could be taken for more than one, or for nothing, keeps its quotes. */
function pathOf(table: readonly string[], key: AST.TOMLKey): string[] {
  const names = key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
  return [...table, ...names.map((name) => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name)))];
}

function entryOf({ value, loc }: AST.TOMLKeyValue): FileEntry {
  const elements = value.type === 'TOMLArray' ? value.elements : [];
  return {
    value: plainValue(value),
    line: loc.start.line,
    elementLines: elements.map((element) => element.loc.start.line),
  };
}

/** What a table holds does not matter: no option is one. */
function plainValue(node: AST.TOMLContentNode): unknown {
  if (node.type === 'TOMLArray') return node.elements.map(plainValue);
  return node.type === 'TOMLValue' ? node.value : {};
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
