import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { LogSourceError } from "@tidemark/core";
import { backoffMs, delay } from "@tidemark/core/driver";
import { closedLog, isLocked, type LogCall, toLogError } from "./log-errors.ts";
import { prepareSchema } from "./log-schema.ts";
import { OpenFiles } from "./open-files.ts";

const LOCK_RETRY_BASE_MS = 1;
const LOCK_RETRY_MAX_MS = 50;

/** How the file is opened. */
export interface LogDatabaseOptions {
  /** An absolute path. */
  readonly file: string;
  readonly synchronous: "full" | "normal";
  /** Milliseconds that a call waits for a lock. */
  readonly timeout: number;
  /** The most pages that the file may have; for tests of a full disk. */
  readonly maxPages?: number;
}

/**
 * One connection to the log's file. SQLite never waits for a lock here, for that would stop the whole process: a call that
 * finds the file locked is repeated after a pause, until its time is up.
 */
export class LogDatabase {
  readonly file: string;
  readonly #database: DatabaseSync;
  readonly #timeout: number;
  readonly #closing = new AbortController();
  readonly #dataVersion: StatementSync;
  readonly #files: OpenFiles;

  constructor(database: DatabaseSync, { file, timeout }: LogDatabaseOptions) {
    this.file = file;
    this.#database = database;
    this.#timeout = timeout;
    this.#dataVersion = this.prepare("PRAGMA data_version");
    this.#files = new OpenFiles(database, file);
  }

  /** Aborted when the log is closed; its reason is the error for calls in flight. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** A statement whose integers are bigints and whose rows are arrays. */
  prepare(sql: string): StatementSync {
    const statement = this.#database.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return statement;
  }

  /** A number that changes when another connection wrote to the file. */
  dataVersion(): bigint {
    this.closing.throwIfAborted();
    try {
      const [version] = this.#dataVersion.get() as unknown as [bigint];
      return version;
    } catch (error) {
      // Locked for a moment: "something may have changed" is the answer that loses nothing.
      if (isLocked(error)) return -1n;
      throw toLogError(error, this.file);
    }
  }

  /** Throws if the file was deleted or replaced; `read` and `write` look by themselves. */
  refuseIfReplaced(): void {
    this.#files.refuseIfReplaced();
  }

  /** Runs reads that all see the same state of the file. */
  read<Result>(call: LogCall, run: () => Result): Promise<Result> {
    return this.#repeat("BEGIN", call, run);
  }

  /** Runs writes, all or none. They are durable when it resolves. */
  write<Result>(call: LogCall, run: () => Result): Promise<Result> {
    return this.#repeat("BEGIN IMMEDIATE", call, run);
  }

  /** Runs writes if the lock is to be had at once. What fails is left for another time: no caller asked for these writes. */
  tryWrite(run: () => void): void {
    try {
      this.#transaction("BEGIN IMMEDIATE", run);
    } catch {
      // A log that can be read must stay readable when it cannot be written.
    }
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(closedLog(this.file));
    this.#database.close();
  }

  async #repeat<Result>(begin: string, call: LogCall, run: () => Result): Promise<Result> {
    const { signal } = call;
    let endsAt: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      this.closing.throwIfAborted();
      signal?.throwIfAborted();
      try {
        return this.#transaction(begin, run);
      } catch (error) {
        if (!isLocked(error)) throw toLogError(error, this.file, call);
        endsAt ??= performance.now() + this.#timeout;
        const leftMs = endsAt - performance.now();
        if (leftMs <= 0) throw toLogError(error, this.file, call);
        const ended = signal === undefined ? this.closing : AbortSignal.any([signal, this.closing]);
        await delay(Math.min(leftMs, backoffMs(attempt, LOCK_RETRY_BASE_MS, LOCK_RETRY_MAX_MS)), ended);
      }
    }
  }

  #transaction<Result>(begin: string, run: () => Result): Result {
    this.refuseIfReplaced();
    this.#database.exec(begin);
    try {
      const result = run();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      // SQLite rolls back by itself after some errors, such as a full disk.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

/** Opens the file, makes it (not its folder) if it is not there, and repeats what loses a race with another process. */
export async function openLogDatabase(options: LogDatabaseOptions): Promise<LogDatabase> {
  const { file, timeout } = options;
  const endsAt = performance.now() + timeout;
  try {
    await checkFile(file);
  } catch (error) {
    throw toLogError(error, file);
  }
  for (let attempt = 0; ; attempt += 1) {
    try {
      return connect(options);
    } catch (error) {
      if (!isLocked(error) || performance.now() >= endsAt) throw toLogError(error, file);
    }
    await pause(backoffMs(attempt, LOCK_RETRY_BASE_MS, LOCK_RETRY_MAX_MS));
  }
}

function connect(options: LogDatabaseOptions): LogDatabase {
  const { file, synchronous, maxPages } = options;
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
    if (mode !== "wal") {
      throw new LogSourceError(
        `${JSON.stringify(file)} is on a file system without support for SQLite's write-ahead log (journal mode ${String(mode)}), such as a network share; put it on a local disk`,
        { code: "UNSUPPORTED" },
      );
    }
    database.exec(`PRAGMA synchronous = ${synchronous}`);
    prepareSchema(database, file);
    if (maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${maxPages}`);
    return new LogDatabase(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite says only "unable to open": what is in the way is asked of the file system, before. */
async function checkFile(file: string): Promise<void> {
  const folder = JSON.stringify(dirname(file));
  const found = await stat(file).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw codeOf(error) === "ENOTDIR" ? noFolder(`${folder} is not a folder; check the path`, error) : error;
  });
  if (found?.isDirectory() === true) {
    throw new LogSourceError(`${JSON.stringify(file)} is a folder; name a file for the log`, { code: "CORRUPT_LOG" });
  }
  if (found !== undefined) return access(file, constants.R_OK);
  await access(dirname(file), constants.W_OK).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
    throw noFolder(`the folder ${folder} does not exist; create it or check the path`, error);
  });
}

/** The log makes no folders: a mistyped path would look like an empty log. */
function noFolder(message: string, cause: unknown): LogSourceError {
  return new LogSourceError(message, { code: "UNAVAILABLE", retryable: false, cause });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
