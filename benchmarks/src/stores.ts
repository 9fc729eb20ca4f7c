import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { OffsetStore } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { type Comparison, compare } from "./paired.ts";

const key = { consumer: "benchmark", topic: "benchmark", partition: 0 };
const token = "benchmark-token";
const ROUNDS = 9;

/** Commits a second through a store, fenced and forward only, against the bare write that people use instead. */
export async function compareStores(): Promise<Comparison[]> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-benchmark-"));
  try {
    return [await compareMemory(), ...(await compareSqlite(folder))];
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function compareMemory(): Promise<Comparison> {
  const store = createMemoryStore();
  const map = new Map<string, bigint>();
  const count = 100_000;
  const commit = await committer(store);
  return compare(
    "memory store, one commit, against a bare Map.set",
    ROUNDS,
    () => commit(count),
    async () => {
      for (let index = 0; index < count; index += 1) {
        // As asynchronous as the store's own call is.
        await Promise.resolve(map.set("benchmark/benchmark/0", BigInt(index)));
      }
      return count;
    },
  );
}

async function compareSqlite(folder: string): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const synchronous of ["full", "normal"] as const) {
    const store = await openSqliteStore({ file: join(folder, `store-${synchronous}.db`), synchronous });
    const bare = new DatabaseSync(join(folder, `bare-${synchronous}.db`));
    bare.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};
      CREATE TABLE positions (name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      INSERT INTO positions VALUES ('benchmark', 0)`);
    const update = bare.prepare("UPDATE positions SET position = ? WHERE name = ?");
    const count = synchronous === "full" ? 500 : 10_000;
    const commit = await committer(store);
    comparisons.push(
      await compare(
        `SQLite store (synchronous=${synchronous}), one commit, against a bare prepared UPDATE`,
        ROUNDS,
        () => commit(count),
        async () => {
          for (let index = 0; index < count; index += 1) await Promise.resolve(update.run(BigInt(index), "benchmark"));
          return count;
        },
      ),
    );
    bare.close();
    await store.close();
  }
  return comparisons;
}

async function committer(store: OffsetStore): Promise<(count: number) => Promise<number>> {
  await store.claim([{ key, token, owner: "benchmark" }]);
  let nextOffset = 0n;
  return async (count) => {
    for (let index = 0; index < count; index += 1) {
      nextOffset += 1n;
      const [outcome] = await store.commit([{ key, token, nextOffset }]);
      if (outcome?.status !== "committed") throw new Error(`not committed: ${outcome?.status}`);
    }
    return count;
  };
}
