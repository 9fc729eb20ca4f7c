import { type BigIntStats, statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { FileReplacedError } from "./log-errors.ts";

/**
 * The files that a connection has open, the log's own and the write-ahead log beside it. On most systems an open file can
 * be deleted, and what is written to it then is gone with the connection.
 */
export class OpenFiles {
  readonly #identities: readonly (readonly [path: string, identity: BigIntStats | undefined])[];

  /** Of a connection that has read already: the write-ahead log is there from then on. */
  constructor(database: DatabaseSync, file: string) {
    // Beside the file itself, where SQLite looks for it: not beside a link to it.
    const writeAheadLog = `${database.location() ?? file}-wal`;
    this.#identities = [file, writeAheadLog].map((path) => [path, identify(path)]);
  }

  /** Throws a raw error if one of them is no longer what its name stands for. */
  refuseIfReplaced(): void {
    for (const [path, identity] of this.#identities) {
      const current = identify(path);
      if (identity === undefined || current?.ino !== identity.ino || current.dev !== identity.dev) {
        throw new FileReplacedError(path);
      }
    }
  }
}

function identify(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    // To some releases of Node this is an error also where a missing entry is none.
    if (error instanceof Error && "code" in error && error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
