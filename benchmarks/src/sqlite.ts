import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare } from "./paired.ts";

const ROUNDS = 41;
const PARTITIONS = 100;

/** Commits through the SQLite store, fenced and forward only, against the bare write that people use instead. */
export async function compareSqlite(): Promise<Comparison[]> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-benchmark-"));
  try {
    return [
      ...(await compareBare(folder, "full", { single: 200, flushes: 50 })),
      // So many that SQLite moves its log into the file now and then, in every round.
      ...(await compareBare(folder, "normal", { single: 5_000, flushes: 100 })),
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

async function compareBare(
  folder: string,
  synchronous: "full" | "normal",
  { single, flushes }: { readonly single: number; readonly flushes: number },
): Promise<Comparison[]> {
  await using store = await openSqliteStore({ file: join(folder, `store-${synchronous}.db`), synchronous });
  using bare = new DatabaseSync(join(folder, `bare-${synchronous}.db`));
  bare.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};
    CREATE TABLE positions (name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID`);
  const names = Array.from({ length: PARTITIONS }, (_, partition) => `benchmark/${partition}`);
  for (const name of names) bare.prepare("INSERT INTO positions VALUES (?, 0)").run(name);
  const update = bare.prepare("UPDATE positions SET position = ? WHERE name = ?");
  const [begin, commit] = [bare.prepare("BEGIN IMMEDIATE"), bare.prepare("COMMIT")];
  let position = 0n;
  const about = `SQLite store (synchronous=${synchronous})`;
  return [
    await compare(
      `${about}, one commit, against a bare prepared UPDATE`,
      ROUNDS,
      await committing(store, 1, single),
      async () => {
        for (let call = 0; call < single; call += 1) {
          // As asynchronous as the store's own call is.
          await Promise.resolve(update.run((position += 1n), "benchmark/0"));
        }
        return single;
      },
    ),
    await compare(
      `${about}, a flush of ${PARTITIONS} partitions, against ${PARTITIONS} bare prepared UPDATEs in one transaction`,
      ROUNDS,
      await committing(store, PARTITIONS, flushes),
      async () => {
        for (let call = 0; call < flushes; call += 1) {
          position += 1n;
          begin.run();
          for (const name of names) update.run(position, name);
          await Promise.resolve(commit.run());
        }
        return flushes;
      },
    ),
  ];
}
