import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { OffsetStore } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openRedisStore } from "@tidemark/store-redis";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { describe, expect, it } from "vitest";

const KILLS = 50;
const RECORDS = 20_000;
const LONGEST_LIFE_MS = 100;
const key = { consumer: "c1", topic: "orders", partition: 0 };

/** Where one kind of worker writes. MongoDB's is in test/transaction-gateway. */
interface Sink {
  /** The program. */
  readonly worker: URL;
  /** What the worker gets before the log's file, the topic, the consumer and the file of steps. */
  readonly workerArguments: readonly string[];
  readonly store: OffsetStore<never>;
  /** The offsets in the sink, in the order in which they were written. */
  written(): Promise<number[]>;
  close(): Promise<void>;
}

/** Where the worker has the sink in the table of a file, beside the positions. */
async function openSqliteSink(folder: string): Promise<Sink> {
  const file = join(folder, "app.db");
  const store = await openSqliteStore({ file, synchronous: "normal" });
  const database = new DatabaseSync(file);
  database.exec("CREATE TABLE results (number INTEGER NOT NULL) STRICT");
  const all = database.prepare("SELECT number FROM results ORDER BY rowid");
  return {
    worker: new URL("../../src/crash/transact-on-sqlite-until-killed.ts", import.meta.url),
    workerArguments: [file],
    store,
    written: async () => all.all().map((row) => Number(row["number"])),
    close: async () => {
      database.close();
      await store.close();
    },
  };
}

/** Where the worker has the sink in a list of the same server. */
async function openRedisSink(url: string): Promise<Sink> {
  const namespace = `exactly-once-${randomBytes(8).toString("hex")}`;
  const sink = `${namespace}-results`;
  const client = await createClient({ url }).connect();
  const store = await openRedisStore({ client, namespace, onEvent: () => undefined });
  return {
    worker: new URL("../../src/crash/transact-on-redis-until-killed.ts", import.meta.url),
    workerArguments: [url, namespace, sink],
    store,
    written: async () => (await client.lRange(sink, 0, -1)).map(Number),
    close: async () => {
      await client.del(sink);
      await store.delete({ consumer: key.consumer });
      await store.close();
      await client.close();
    },
  };
}

// Side by side: most of the time goes into starting processes.
describe.concurrent(`sink and position in one transaction, killed ${KILLS} times with SIGKILL: exactly once`, async () => {
  it("on SQLite", { timeout: 600_000 }, () => killAndCompare(openSqliteSink));
  await describeWithServer("redis", ({ url }) => {
    it.concurrent("on Redis", { timeout: 600_000 }, () => killAndCompare(() => openRedisSink(url)));
  });
});

async function killAndCompare(openSink: (folder: string) => Promise<Sink>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-exactly-once-"));
  const logFile = join(folder, "log.db");
  const stepsFile = join(folder, "steps");
  const source = await openLocalLog({ file: logFile, synchronous: "normal" });
  const { worker, workerArguments, store, written, close } = await openSink(folder);
  try {
    await source.admin.createTopic(key.topic, { partitions: 1 });
    const values = Array.from({ length: RECORDS }, () => ({ value: Buffer.from("x") }));
    await source.producer.produce(key.topic, 0, values);
    const args = ["--conditions=@tidemark/source", "--disable-warning=ExperimentalWarning", fileURLToPath(worker)];
    const run = async (killAfterMs: number): Promise<void> => {
      const child = spawn(
        process.execPath,
        [...args, ...workerArguments, logFile, key.topic, key.consumer, stepsFile],
        // Compiled once for all.
        { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "cache") } },
      );
      const exited = once(child, "exit");
      await Promise.race([once(child.stdout, "data"), exited]);
      await pause(killAfterMs);
      child.kill("SIGKILL");
      expect(await exited).toEqual([null, "SIGKILL"]);
    };
    const stored = async (): Promise<number> => {
      const [outcome] = await store.fetch([key]);
      return outcome?.status === "found" ? Number(outcome.record.nextOffset) : 0;
    };
    let killedInside = 0;
    let before = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      await run(Math.random() * LONGEST_LIFE_MS);
      const position = await stored();
      expect(position).toBeGreaterThanOrEqual(before);
      before = position;
      // At every moment the sink holds exactly what the position says.
      expect(await written()).toEqual(Array.from({ length: position }, (_item, offset) => offset));
      const last = (await readFile(stepsFile, "utf8")).trimEnd().split("\n").at(-1);
      if (last?.startsWith("begun") === true) killedInside += 1;
    }
    // The kills fell into transactions, not only between them, and the log was not at its end.
    expect(killedInside).toBeGreaterThan(KILLS / 4);
    expect(before).toBeGreaterThan(KILLS);
    expect(before).toBeLessThan(RECORDS);
  } finally {
    await close();
    await source.close();
    await rm(folder, { recursive: true });
  }
}
