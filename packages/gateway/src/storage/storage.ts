/**
 * The database of one data folder: opened by one process at a time, brought up to date, its errors explained.
 *
 * @module
 */

import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { GatewayError } from '../errors.js';
import { MIGRATIONS } from './migrations.js';

/** Name of the database in the data folder. */
export const DATABASE_FILE = 'gateway.db';

/** How safe a transaction is when it returns: `power` survives a power cut, `crash` the end of the process alone. */
export type Durability = 'crash' | 'power';

/** What a statement takes. */
export type Value = string | number | bigint | null | Uint8Array;

/** A prepared statement; rows are what `Row` says. */
export interface Statement<Row> {
  run(...values: Value[]): { readonly changes: number };
  get(...values: Value[]): Row | undefined;
  all(...values: Value[]): Row[];
}

/** Takes part in every transaction, such as running totals that are stored with what they count. */
export interface TransactionPart {
  /** The last to write in it; what it throws undoes the transaction. */
  beforeCommit(): void;
  committed(): void;
  rolledBack(): void;
}

/**
 * One database, one connection, all calls synchronous.
 *
 * @example
 * ```ts
 * const storage = Storage.open('/var/lib/usmp-gateway');
 * storage.transaction(() => storage.prepare('DELETE FROM events WHERE id < ?').run(1_000));
 * storage.close();
 * ```
 */
export class Storage {
  readonly folder: string;
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Statement<unknown>>();
  readonly #parts: TransactionPart[] = [];
  #durability: Durability | undefined;
  #inTransaction = false;
  #damage: GatewayError | undefined;
  #whenDamaged: (damage: GatewayError) => void = () => {};

  private constructor(folder: string, db: Database.Database) {
    this.folder = folder;
    this.#db = db;
  }

  /**
   * Opens the database of a folder, makes both where they are missing, and holds it until `close` or the end of the
   * process, however that ends.
   *
   * @throws {GatewayError} `conflict`: another process has it; `unavailable`: it cannot be read, is damaged, or comes from
   * a newer release
   */
  static open(folder: string): Storage {
    const file = join(folder, DATABASE_FILE);
    let db: Database.Database | undefined;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      // Made here, so that nobody else can read it for a moment.
      if (!existsSync(file)) writeFileSync(file, '', { mode: 0o600, flag: 'a' });
      db = new Database(file);
      const storage = new Storage(folder, db);
      storage.#prepare();
      chmodSync(file, 0o600);
      return storage;
    } catch (error) {
      db?.close();
      throw openError(folder, error);
    }
  }

  /** A statement, prepared once. */
  prepare<Row = Record<string, unknown>>(sql: string): Statement<Row> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#guarded(sql);
      this.#statements.set(sql, statement);
    }
    return statement as Statement<Row>;
  }

  /**
   * Runs `work` in a transaction: all of it is stored, or, when it throws, nothing. Within another it is part of that.
   *
   * @throws {GatewayError} `storage_full`, `unavailable`; whatever `work` throws
   */
  transaction<Result>(work: () => Result, durability: Durability = 'power'): Result {
    if (this.#inTransaction) return work();
    this.#setDurability(durability);
    this.#execute('BEGIN IMMEDIATE');
    this.#inTransaction = true;
    try {
      const result = work();
      for (const part of this.#parts) part.beforeCommit();
      this.#execute('COMMIT');
      for (const part of this.#parts) part.committed();
      return result;
    } catch (error) {
      // After some errors SQLite has rolled back by itself.
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      for (const part of this.#parts) part.rolledBack();
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  /** Lets something take part in all transactions from now on. */
  join(part: TransactionPart): void {
    this.#parts.push(part);
  }

  /** What is wrong with the file itself, as far as that was met with. It stays until a start with a good one. */
  get damage(): GatewayError | undefined {
    return this.#damage;
  }

  /** Says who is told, once, that the file is damaged. */
  onDamage(told: (damage: GatewayError) => void): void {
    this.#whenDamaged = told;
  }

  /** Bytes of the database without what is free in it. */
  get usedBytes(): number {
    const row = this.prepare<{ bytes: number }>(
      `SELECT (page_count - freelist_count) * page_size AS bytes
       FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
    ).get();
    return row!.bytes;
  }

  /** Writes everything into the one file and lets go of it. */
  close(): void {
    this.#statements.clear();
    try {
      // Statements that are not collected yet would hold the file, and its lock.
      this.#db.pragma('journal_mode = DELETE');
      this.#db.pragma('locking_mode = NORMAL');
      this.#db.exec('SELECT count(*) FROM meta');
    } catch {
      // With a full disk, for instance: what is in the log stays there, and the next start finds it.
    }
    this.#db.close();
  }

  #prepare(): void {
    // Before anything is read, so that the lock is there from the first moment on and no shared memory is needed.
    this.#db.pragma('locking_mode = EXCLUSIVE');
    this.#db.pragma('journal_mode = WAL');
    this.#setDurability('power');
    this.#db.pragma('foreign_keys = ON');
    this.#db.exec('BEGIN IMMEDIATE; COMMIT');
    const version = this.prepare<{ user_version: number }>('PRAGMA user_version').get()!.user_version;
    if (version > MIGRATIONS.length)
      throw new GatewayError(
        'unavailable',
        `its version is ${version}, this release knows up to ${MIGRATIONS.length}: update the gateway, or use another data folder`,
      );
    for (let step = version; step < MIGRATIONS.length; step++)
      this.transaction(() => {
        this.#db.exec(MIGRATIONS[step]!);
        this.#db.exec(`PRAGMA user_version = ${step + 1}`);
      });
  }

  #setDurability(durability: Durability): void {
    if (this.#durability === durability) return;
    this.#db.pragma(`synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'}`);
    this.#durability = durability;
  }

  #execute(sql: string): void {
    this.#explaining(() => this.#db.exec(sql));
  }

  #explaining<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #explained(error: unknown): unknown {
    const explained = storageError(error);
    if (this.#damage === undefined && explained instanceof GatewayError && isDamage(error)) {
      this.#damage = explained;
      this.#whenDamaged(explained);
    }
    return explained;
  }

  #guarded(sql: string): Statement<unknown> {
    const statement = this.#explaining(() => this.#db.prepare<[Value[]]>(sql));
    // As one array: a Buffer or null by itself would be taken for an object of named parameters.
    const guard =
      <Result>(method: (values: Value[]) => Result) =>
      (...values: Value[]): Result =>
        this.#explaining(() => method(values));
    return {
      run: guard((values) => statement.run(values)),
      get: guard((values) => statement.get(values)),
      all: guard((values) => withBuffers(statement.all(values) as Record<string, unknown>[])),
    };
  }
}

/** libsql gives BLOBs as Buffer by `get`, and as ArrayBuffer by `all`. */
function withBuffers(rows: Record<string, unknown>[]): Record<string, unknown>[] {
  for (const row of rows)
    for (const column in row) {
      const value = row[column];
      if (value instanceof ArrayBuffer) row[column] = Buffer.from(value);
    }
  return rows;
}

/** What an error of SQLite means to the one who waits for the result. Constraints stay what they are. */
export function storageError(error: unknown): unknown {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (code.startsWith('SQLITE_FULL') || message.includes('ENOSPC'))
    return new GatewayError(
      'storage_full',
      'the disk of the data folder is full: make room; nothing acknowledged is lost',
      { cause: error },
    );
  if (isDamage(error))
    return new GatewayError(
      'unavailable',
      `${DATABASE_FILE} is damaged, or its disk is (${message}): stop the gateway and bring back a backup, or save what can be read by usmp-gateway device export --keys and move it away, with ${DATABASE_FILE}-wal`,
      { cause: error },
    );
  if (/^SQLITE_(IOERR|READONLY|CANTOPEN|PROTOCOL|NOMEM)/.test(code))
    return new GatewayError('unavailable', `the database cannot be used: ${message} (${code})`, {
      cause: error,
    });
  return error;
}

/** Something is not in the file that was written to it. */
function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB|IOERR_(SHORT_)?READ)/.test((error as { code?: string }).code ?? '');
}

function openError(folder: string, error: unknown): GatewayError {
  const { code = '', message } = error as { code?: string; message: string };
  const file = join(folder, DATABASE_FILE);
  if (code.startsWith('SQLITE_BUSY'))
    return new GatewayError(
      'conflict',
      `another process uses ${folder}: stop it, or use another data folder`,
      {
        cause: error,
      },
    );
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT'))
    return new GatewayError(
      'unavailable',
      `${file} is damaged or no database (${message}): move it away, with ${DATABASE_FILE}-wal, or bring back a backup`,
      { cause: error },
    );
  if (code === 'EEXIST' || code === 'ENOTDIR')
    return new GatewayError(
      'unavailable',
      `${folder} is a file, or in one: the data folder must be a folder`,
      {
        cause: error,
      },
    );
  if (code === 'SQLITE_CANTOPEN' || message.includes('Unable to open'))
    return new GatewayError(
      'unavailable',
      `${file} cannot be opened: it must be a file of the user who runs the gateway`,
      { cause: error },
    );
  if (code === 'EACCES' || code === 'EPERM' || code === 'SQLITE_READONLY' || code === 'EROFS')
    return new GatewayError(
      'unavailable',
      `${folder} cannot be written: it must belong to the user who runs the gateway`,
      { cause: error },
    );
  if (code === 'ENOSPC' || code === 'SQLITE_FULL')
    return new GatewayError('storage_full', `the disk of ${folder} is full: make room`, { cause: error });
  return new GatewayError('unavailable', `${file}: ${message}`, { cause: error });
}
