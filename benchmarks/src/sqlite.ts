import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare } from "./paired.ts";

const ROUNDS = 9;

/** Commits through the SQLite store, fenced and forward only, against the bare write that people use instead. */
export async function compareSqlite(): Promise<Comparison[]> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-benchmark-"));
  try {
    return [
      await compareBare(folder, "full", 500),
      await compareBare(folder, "normal", 10_000),
      await compareGrowth({
        name: "SQLite store (synchronous=normal)",
        open: (place) => openSqliteStore({ file: join(folder, `${place}.db`), synchronous: "normal" }),
        calls: 5_000,
        inFlight: 1,
      }),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function compareBare(folder: string, synchronous: "full" | "normal", calls: number): Promise<Comparison> {
  await using store = await openSqliteStore({ file: join(folder, `store-${synchronous}.db`), synchronous });
  using bare = new DatabaseSync(join(folder, `bare-${synchronous}.db`));
  bare.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};
    CREATE TABLE positions (name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO positions VALUES ('benchmark', 0)`);
  const update = bare.prepare("UPDATE positions SET position = ? WHERE name = ?");
  return await compare(
    `SQLite store (synchronous=${synchronous}), one commit, against a bare prepared UPDATE`,
    ROUNDS,
    await committing(store, 1, calls),
    async () => {
      for (let index = 0; index < calls; index += 1) await Promise.resolve(update.run(BigInt(index), "benchmark"));
      return calls;
    },
  );
}
