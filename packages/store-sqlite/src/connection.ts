import { type BigIntStats, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { backoffMs, delay } from "@tidemark/core/driver";
import { createSchema, hasSchema, validateSchema } from "./schema.ts";
import { FileReplacedError, isBusy, UnsupportedFileError } from "./sqlite-errors.ts";

/** The name of a database without a file, in the memory of the one handle that opened it. */
export const IN_MEMORY = ":memory:";

/** How soon a lock is asked for again: many processes on one file all make progress. */
const RETRY_BASE_MS = 1;
const RETRY_MAX_MS = 20;

/** What a write survives: `full` a power cut, `normal` the end of the process. */
export type Synchronous = "full" | "normal";

/**
 * The store's own handle on the file.
 *
 * SQLite is never let wait for a lock, since it would stop the whole process: every attempt is one synchronous run, and
 * one that meets a lock is repeated after a pause in which everything else goes on.
 */
export class Connection {
  readonly database: DatabaseSync;
  readonly #file: string;
  readonly #identity: BigIntStats | undefined;
  readonly #log: string;
  readonly #logIdentity: BigIntStats | undefined;
  #lastWrite: Promise<void> = Promise.resolve();

  private constructor(database: DatabaseSync, file: string) {
    this.database = database;
    this.#file = file;
    this.#identity = file === IN_MEMORY ? undefined : identify(file);
    // Beside the file itself, where SQLite looks for it: not beside a link to it.
    this.#log = `${database.location() ?? file}-wal`;
    this.#logIdentity = file === IN_MEMORY ? undefined : identify(this.#log);
  }

  /** Opens the file, which is made if it is not there; its folder is not. Rejects with raw errors. */
  static async open(file: string, synchronous: Synchronous, signal: AbortSignal): Promise<Connection> {
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      // Several processes may do each of these at once, on a file that none of them had before.
      await whenFree(signal, () => useWriteAheadLog(database, file));
      database.exec(`PRAGMA synchronous = ${synchronous === "full" ? "FULL" : "NORMAL"}`);
      await whenFree(signal, () => {
        if (hasSchema(database)) validateSchema(database);
        else inTransaction(database, "BEGIN IMMEDIATE", () => createSchema(database));
      });
      return new Connection(database, file);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Runs reads on one snapshot, without a write lock: what another process writes meanwhile is seen whole or not at all.
   * `work` may run several times and must not write.
   */
  async read<Result>(signal: AbortSignal, work: () => Result): Promise<Result> {
    await othersRun();
    return whenFree(signal, () => {
      this.#refuseIfReplaced();
      return inTransaction(this.database, "BEGIN", work);
    });
  }

  /**
   * Runs `work` in one write transaction, all or nothing. Writes of this handle take turns in the order in which they
   * came, so that of two for the same key the later one does not overtake the earlier while both wait for a lock.
   */
  async write<Result>(signal: AbortSignal, work: () => Result): Promise<Result> {
    const previous = this.#lastWrite;
    const turn = Promise.withResolvers<void>();
    this.#lastWrite = turn.promise;
    try {
      await previous;
      await othersRun();
      return await whenFree(signal, () => {
        this.#refuseIfReplaced();
        return inTransaction(this.database, "BEGIN IMMEDIATE", work);
      });
    } finally {
      turn.resolve();
    }
  }

  /** Tells whether a path, as another handle knows it, is this connection's file. */
  isSameFile(path: string): boolean {
    if (this.#identity === undefined || path === "") return false;
    const other = identify(path);
    return other !== undefined && sameFile(this.#identity, other);
  }

  close(): void {
    this.database.close();
  }

  /**
   * On most systems an open file can be deleted, and what is written to it then is gone with the handle. The write-ahead
   * log goes also when another copy of SQLite in this process closes the file: the system drops the locks of both.
   */
  #refuseIfReplaced(): void {
    refuseIfReplaced(this.#file, this.#identity);
    refuseIfReplaced(this.#log, this.#logIdentity);
  }
}

/**
 * A turn of the event loop for each call: none of them waits for I/O, and a loop over calls would otherwise keep every
 * timer of the process from firing and every other client in it from its turn.
 */
async function othersRun(): Promise<void> {
  await setImmediate();
}

async function whenFree<Result>(signal: AbortSignal, attempt: () => Result): Promise<Result> {
  for (let attempts = 0; ; attempts += 1) {
    signal.throwIfAborted();
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
    await delay(backoffMs(attempts, RETRY_BASE_MS, RETRY_MAX_MS), signal);
  }
}

/** One synchronous run from BEGIN to COMMIT: nothing of this process can come between. */
function inTransaction<Result>(database: DatabaseSync, begin: "BEGIN" | "BEGIN IMMEDIATE", work: () => Result): Result {
  database.exec(begin);
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk makes SQLite roll back by itself.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function useWriteAheadLog(database: DatabaseSync, file: string): void {
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
  if (mode === "wal" || file === IN_MEMORY) return;
  throw new UnsupportedFileError(
    `the file system of ${JSON.stringify(file)} does not allow SQLite's write-ahead log (journal mode ${String(mode)}); ` +
      "use a local disk",
  );
}

function refuseIfReplaced(file: string, identity: BigIntStats | undefined): void {
  if (identity === undefined) return;
  const current = identify(file);
  if (current !== undefined && sameFile(identity, current)) return;
  throw new FileReplacedError(
    `${JSON.stringify(file)} was deleted or replaced while it was open, and what is written now would be lost; ` +
      "close the store and open it again",
  );
}

function identify(file: string): BigIntStats | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false });
}

function sameFile(one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}
