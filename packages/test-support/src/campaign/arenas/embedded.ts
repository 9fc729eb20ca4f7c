import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { openPlace } from "../places/open-place.ts";
import { makeSqliteSink } from "../places/sqlite.ts";
import type { Arena } from "./arena.ts";

const PATIENCE_MS = 10_000;
const LOCK_ATTEMPTS = 50;
const LOCK_PAUSE_MS = 5;

/** Positions in the memory of this process. */
export async function openMemoryArena(): Promise<Arena> {
  const backend = createMemoryBackend();
  return {
    version: "in this process",
    place: () => undefined,
    async open() {
      const store = createMemoryStore({ backend });
      return { store, close: () => store.close() };
    },
    disturb: async (kind) => {
      throw new TypeError(`memory knows no ${kind}`);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Positions in the file that has the log as well. */
export async function openSqliteArena(folder: string): Promise<Arena> {
  const place = { kind: "sqlite", file: logFileIn(folder) } as const;
  makeSqliteSink(place.file);
  return {
    version: `SQLite ${process.versions["sqlite"]}, synchronous "normal"`,
    place: () => place,
    open: () => openPlace(place, PATIENCE_MS),
    async disturb() {
      const other = new DatabaseSync(place.file);
      for (let attempt = 0; attempt < LOCK_ATTEMPTS && !other.isTransaction; attempt += 1) {
        try {
          other.exec("BEGIN IMMEDIATE");
        } catch {
          // Who has it keeps it for a moment, or is frozen and is the fault.
          await pause(LOCK_PAUSE_MS);
        }
      }
      return async () => {
        if (other.isTransaction) other.exec("ROLLBACK");
        other.close();
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Where the log of a campaign is. */
export function logFileIn(folder: string): string {
  return join(folder, "tidemark.db");
}
