import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { describe, expect, test } from "vitest";

const KILLS = 50;
const RECORDS = 200_000;
const FLUSH_INTERVAL_MS = 40;
// A flush is late by what the machine takes: the write itself, and the other tests beside it.
const LATE_FLUSH_MS = 1_000;

const worker = fileURLToPath(new URL("../src/crash/consume-until-killed.ts", import.meta.url));

/** A line that the kill cut short was not written whole: its record was not worked on. */
function parse(text: string): Processed[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const [offset = "", atMs = ""] = line.split(" ");
      return { offset: BigInt(offset), atMs: Number(atMs) };
    });
}

interface Processed {
  readonly offset: bigint;
  readonly atMs: number;
}

describe.concurrent("kill -9 at 50 random moments, on SQLite", () => {
  test.each(["auto", "manual"])(
    "%s: nothing lost, nothing ahead, repeats within a flush interval",
    {
      timeout: 180_000,
    },
    async (strategy) => {
      const folder = await mkdtemp(join(tmpdir(), "tidemark-kill-"));
      const file = join(folder, "tidemark.db");
      const key = { consumer: "c1", topic: "orders", partition: 0 };
      const source = await openLocalLog({ file, synchronous: "normal" });
      const store = await openSqliteStore({ file });
      try {
        await source.admin.createTopic(key.topic, { partitions: 1 });
        const batch = Array.from({ length: 5_000 }, () => ({ value: Buffer.from("x") }));
        for (let made = 0; made < RECORDS; made += batch.length) await source.producer.produce(key.topic, 0, batch);

        const run = async (name: string, killAfterMs: number | undefined): Promise<Processed[]> => {
          const processedFile = join(folder, name);
          const child = spawn(
            process.execPath,
            [
              "--conditions=@tidemark/source",
              worker,
              ...[file, key.topic, key.consumer, strategy, String(FLUSH_INTERVAL_MS), processedFile],
            ],
            { stdio: ["ignore", "pipe", "inherit"] },
          );
          const exited = once(child, "exit");
          await Promise.race([once(child.stdout, "data"), exited]);
          if (killAfterMs !== undefined) {
            await pause(killAfterMs);
            child.kill("SIGKILL");
          }
          const [code, signal] = await exited;
          expect({ code, signal }).toEqual(
            killAfterMs === undefined ? { code: 0, signal: null } : { code: null, signal: "SIGKILL" },
          );
          return parse(await readFile(processedFile, "utf8"));
        };
        const stored = async (): Promise<bigint> => {
          const [outcome] = await store.fetch([key]);
          if (outcome?.status !== "found") throw new Error(`no position: ${outcome?.status}`);
          return outcome.record.nextOffset ?? -1n;
        };

        let position = 0n;
        let next = 0n;
        let repeats = 0;
        for (let kill = 0; kill < KILLS; kill += 1) {
          const processed = await run(`killed-${kill}`, Math.random() * 250);
          // The run began where the store said, and read on without a gap: nothing is lost.
          processed.forEach(({ offset }, index) => expect(offset).toBe(position + BigInt(index)));
          const last = processed.at(-1);
          next = last === undefined ? next : last.offset + 1n;
          const before = position;
          position = await stored();
          expect(position).toBeGreaterThanOrEqual(before);
          // The record in hand may be worked on and not committed; never the other way round.
          expect(position).toBeLessThanOrEqual(next);
          const again = processed.filter(({ offset }) => offset >= position);
          repeats += again.length;
          const [oldest] = again;
          if (oldest !== undefined && last !== undefined) {
            expect(last.atMs - oldest.atMs).toBeLessThanOrEqual(FLUSH_INTERVAL_MS + LATE_FLUSH_MS);
          }
        }
        // The kills fell in the middle: flushes had happened, and the log was not at its end.
        expect(position).toBeGreaterThan(0n);
        expect(position).toBeLessThan(BigInt(RECORDS));
        expect(repeats).toBeGreaterThan(0);

        await using consumer = await createConsumer({ source, store, ...key, partitions: [0], untilEnd: true });
        let rest = position;
        for await (const record of consumer) {
          expect(record.offset).toBe(rest);
          rest += 1n;
        }
        expect(await stored()).toBe(BigInt(RECORDS));
      } finally {
        await store.close();
        await source.close();
        await rm(folder, { recursive: true });
      }
    },
  );
});
