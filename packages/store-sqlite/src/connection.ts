import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { backoffMs, delay, type DriverContext } from "@tidemark/core/driver";
import { OpenFile } from "./open-file.ts";
import { createSchema, hasSchema, validateSchema } from "./schema.ts";
import { isBusy, UnsupportedFileError } from "./sqlite-errors.ts";

/** The name of a database without a file, in the memory of the one handle that opened it. */
export const IN_MEMORY = ":memory:";

/** How soon a lock is asked for again: many processes on one file all make progress. */
const RETRY_BASE_MS = 1;
const RETRY_MAX_MS = 20;
/** How long calls may follow one another before everything else in the process has its turn. */
const TURN_MS = 2;

/** How many pages the log has when it is moved into the file: 16 MB. SQLite's own 1,000 wait for the disk four times as often. */
const LOG_PAGES = 4_000;

/** What a write survives: `full` a power cut, `normal` the end of the process. */
export type Synchronous = "full" | "normal";

type Waiting = Pick<DriverContext, "signal">;

/**
 * The store's own handle on the file.
 *
 * SQLite is never let wait for a lock, since it would stop the whole process: every attempt is one synchronous run, and
 * one that meets a lock is repeated after a pause in which everything else continues.
 */
export class Connection {
  readonly database: DatabaseSync;
  #file: OpenFile | undefined;
  readonly #synchronous: Synchronous;
  readonly #begin: Readonly<Record<"read" | "write", StatementSync>>;
  readonly #commit: StatementSync;
  #turnAt = Number.NEGATIVE_INFINITY;
  #lastWrite: Promise<void> | undefined;

  private constructor(database: DatabaseSync, synchronous: Synchronous) {
    this.database = database;
    this.#synchronous = synchronous;
    this.#begin = { read: database.prepare("BEGIN"), write: database.prepare("BEGIN IMMEDIATE") };
    this.#commit = database.prepare("COMMIT");
  }

  /** Opens the file, which is made if it is not there; its folder is not. Rejects with raw errors. */
  static async open(file: string, synchronous: Synchronous, signal: AbortSignal): Promise<Connection> {
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      // Several processes may do each of these at once, on a file that none of them had before.
      await whenFree({ signal }, () => useWriteAheadLog(database, file));
      setUp(database, synchronous);
      const connection = new Connection(database, synchronous);
      await whenFree({ signal }, () => {
        if (hasSchema(database)) validateSchema(database);
        else connection.atomically("write", () => createSchema(database));
      });
      // Only now is the log there.
      if (file !== IN_MEMORY) connection.#file = new OpenFile(file, `${database.location() ?? file}-wal`);
      return connection;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Runs a read: without a wait where that is possible. `attempt` may run several times. */
  read<Result>(context: Waiting, attempt: () => Result): Promise<Result> {
    return this.#atOnce(attempt) ?? this.#wait(context, attempt);
  }

  /**
   * Runs a write. Writes of this handle take turns in the order in which they came, so that of two for the same key the
   * later one does not overtake the earlier while both wait for a lock.
   */
  write<Result>(context: Waiting, attempt: () => Result): Promise<Result> {
    if (this.#lastWrite !== undefined) return this.#inOrder(context, attempt);
    return this.#atOnce(attempt) ?? this.#inOrder(context, attempt);
  }

  /**
   * One synchronous run from BEGIN to COMMIT: nothing of this process can come between. What it reads is one snapshot, and
   * of what it writes others see all or nothing. An error rolls it back, and so does `false`.
   */
  atomically<Result>(kind: "read" | "write", work: () => Result): Result {
    this.#begin[kind].run();
    try {
      const result = work();
      if (result === false) this.database.exec("ROLLBACK");
      else this.#commit.run();
      return result;
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (this.database.isTransaction) this.database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Opens another handle on the file, as this one is; there is none where there is no file. */
  openAnother(): DatabaseSync {
    const database = new DatabaseSync(this.database.location() ?? IN_MEMORY, { timeout: 0 });
    setUp(database, this.#synchronous);
    return database;
  }

  /** Whether a path, as another handle knows it, is this connection's file. */
  isSameFile(path: string): boolean {
    return this.#file?.isAt(path) ?? false;
  }

  close(): void {
    this.database.close();
  }

  /** `undefined`: a lock is in the way, or it is the others' turn. */
  #atOnce<Result>(attempt: () => Result): Promise<Result> | undefined {
    const now = performance.now();
    if (now - this.#turnAt >= TURN_MS) return undefined;
    try {
      this.#file?.refuseIfReplaced(now);
      return Promise.resolve(attempt());
    } catch (error) {
      return isBusy(error) ? undefined : Promise.reject(error);
    }
  }

  async #inOrder<Result>(context: Waiting, attempt: () => Result): Promise<Result> {
    const previous = this.#lastWrite;
    const turn = Promise.withResolvers<void>();
    this.#lastWrite = turn.promise;
    try {
      await previous;
      return await this.#wait(context, attempt);
    } finally {
      if (this.#lastWrite === turn.promise) this.#lastWrite = undefined;
      turn.resolve();
    }
  }

  /** A turn of the event loop first: a loop over calls would otherwise keep every timer of the process from firing. */
  async #wait<Result>(context: Waiting, attempt: () => Result): Promise<Result> {
    await setImmediate();
    return whenFree(context, () => {
      this.#turnAt = performance.now();
      this.#file?.refuseIfReplaced(this.#turnAt);
      return attempt();
    });
  }
}

async function whenFree<Result>({ signal }: Waiting, attempt: () => Result): Promise<Result> {
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

/** The settings of a handle, made each time that it is opened. */
function setUp(database: DatabaseSync, synchronous: Synchronous): void {
  database.exec(`PRAGMA synchronous = ${synchronous === "full" ? "FULL" : "NORMAL"}`);
  database.exec(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
}

function useWriteAheadLog(database: DatabaseSync, file: string): void {
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
  if (mode === "wal" || file === IN_MEMORY) return;
  throw new UnsupportedFileError(
    `${JSON.stringify(file)} is on a file system without support for SQLite's write-ahead log (journal mode ${String(mode)}), such as a network share; ` +
      "put it on a local disk",
  );
}
