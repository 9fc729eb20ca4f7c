import { resolve } from "node:path";
import type { OffsetStore } from "@tidemark/core";
import {
  createOffsetStore,
  type OffsetStoreOptions,
  openDriver,
  resolveStoreOptions,
  validateOptionNames,
} from "@tidemark/core/driver";
import { Connection, IN_MEMORY } from "./connection.ts";
import { SqliteDriver } from "./sqlite-driver.ts";
import { classifySqliteError } from "./sqlite-errors.ts";
import type { SqliteTransaction } from "./sqlite-transaction.ts";

/** What a SQLite store is opened with. */
export interface SqliteStoreOptions extends OffsetStoreOptions {
  /**
   * The database file. It is created if it is missing; its folder is not, because a mistyped path would then look like an
   * empty store. The file may have other tables: the store uses only its own, `tidemark_offsets` and `tidemark_members`,
   * and switches the file to the write-ahead log. `":memory:"`: no file; the positions end with the store.
   */
  readonly file: string;
  /**
   * What an acknowledged write survives. `"full"`: a power cut; each write costs one `fsync`. `"normal"`: the end of
   * the process, however it ends, but a power cut may undo the last writes (records are redelivered, none is skipped).
   * Default `"full"`.
   */
  readonly synchronous?: "full" | "normal" | undefined;
}

/**
 * Opens a store in a SQLite file. Any number of stores in any number of processes of one host may have the same file open.
 *
 * Rejects with `TypeError` or `RangeError` if an option makes no sense, and otherwise with an `OffsetStoreError`:
 * `CORRUPT_RECORD` (the file is not a SQLite database, or damaged), `UNSUPPORTED` (its table is not this release's, or
 * its file system has no write-ahead log), `PERMISSION_DENIED`, `UNAVAILABLE` (it cannot be opened, its folder does not
 * exist, or it has no room) or `TIMEOUT` (locked for longer than `timeout`).
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<OffsetStore<SqliteTransaction>> {
  validateOptionNames(options, ["file", "synchronous"]);
  const { namespace, timeout } = resolveStoreOptions(options);
  const { synchronous = "full" } = options;
  const file = resolveFile(options.file);
  if (synchronous !== "full" && synchronous !== "normal") {
    throw new TypeError(`synchronous must be "full" or "normal", not ${JSON.stringify(synchronous)}`);
  }
  let connection: Connection | undefined;
  const message = `${JSON.stringify(file)} was locked for ${timeout} ms; find the process that holds the lock, or try again`;
  return openDriver(
    {
      store: "sqlite",
      timeout,
      classify: (error) => classifySqliteError(error, file),
      whenLate: () => ({ code: "TIMEOUT", retryable: true, message }),
      release: () => connection?.close(),
    },
    async (signal) => {
      connection = await Connection.open(file, synchronous, signal);
      const durability = file === IN_MEMORY ? "none" : synchronous === "full" ? "synced" : "process";
      return createOffsetStore(new SqliteDriver({ connection, file, namespace, durability }), options);
    },
  );
}

function resolveFile(file: unknown): string {
  if (typeof file !== "string") throw new TypeError("file must be a string: the path of the database file");
  if (file === "") throw new TypeError('file must not be empty: name a file, or ":memory:"');
  if (file.includes("\0")) throw new TypeError("file must not contain a NUL character");
  // Absolute also because SQLite takes a name that begins with "file:" for a URI.
  return file === IN_MEMORY ? file : resolve(file);
}
