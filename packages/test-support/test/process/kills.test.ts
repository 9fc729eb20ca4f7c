import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { expect, onTestFinished, test } from "vitest";
import { PROGRAM_OPTIONS } from "@tidemark/test-support";

const RECORDS = 6_000;
const PARTITIONS = 2;
const KILLS = 20;
const worker = fileURLToPath(new URL("worker.ts", import.meta.url));

interface Lines {
  readonly given: string[];
  readonly done: string[];
  readonly hasEnded: boolean;
}

function read(journal: string): Lines {
  const lines = existsSync(journal) ? readFileSync(journal, "utf8").split("\n") : [];
  const of = (what: string): string[] =>
    lines.filter((line) => line.startsWith(`${what} `)).map((line) => line.slice(what.length + 1));
  return { given: of("given"), done: of("done"), hasEnded: of("end").length > 0 };
}

test("process(), killed again and again with a slow record in a thousand: nothing is lost, nothing that was stored as done comes again (contract 5.14, 5.26)", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-kills-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "positions.db");
  {
    await using log = await openLocalLog({ file: `${file}.log`, synchronous: "normal" });
    await log.admin.createTopic("orders", { partitions: PARTITIONS });
    const records = Array.from({ length: RECORDS }, () => ({ value: Buffer.from("x") }));
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      await log.producer.produce("orders", partition, records);
  }
  await using store = await openSqliteStore({ file, synchronous: "normal" });
  const keys = Array.from({ length: PARTITIONS }, (_, partition) => ({ consumer: "c1", topic: "orders", partition }));
  /** Whether what is stored says that a record is done. */
  const storedAsDone = async (): Promise<(partition: number, offset: bigint) => boolean> => {
    const outcomes = await store.fetch(keys);
    return (partition, offset) => {
      const outcome = outcomes[partition];
      if (outcome?.status !== "found") return false;
      const { nextOffset = 0n, acknowledged = [] } = outcome.record;
      return offset < nextOffset || acknowledged.some(({ from, to }) => from <= offset && offset < to);
    };
  };
  const done = new Set<string>();
  let ranges = 0;
  for (let life = 0; ; life += 1) {
    const isLast = life === KILLS;
    const journal = join(folder, `life-${life}`);
    const isDone = await storedAsDone();
    const child = spawn(process.execPath, [...PROGRAM_OPTIONS, worker, file, journal, isLast ? "0" : "60000"], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const exited = once(child, "exit");
    if (isLast) await exited;
    else {
      // Not before it has begun, and then at any moment.
      const before = Date.now();
      while (read(journal).given.length === 0 && child.exitCode === null && Date.now() - before < 30_000)
        await pause(5);
      await pause(Math.random() * 60);
      child.kill("SIGKILL");
      await exited;
    }
    const { given, done: now, hasEnded } = read(journal);
    for (const line of given) {
      const [partition = "", offset = ""] = line.split(" ");
      expect(
        isDone(Number(partition), BigInt(offset)),
        `life ${life}: ${line} was stored as done and comes again`,
      ).toBe(false);
    }
    for (const line of now) done.add(line);
    const nowDone = await storedAsDone();
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      for (let offset = 0; offset < RECORDS; offset += 1) {
        if (!nowDone(partition, BigInt(offset))) continue;
        expect(
          done.has(`${partition} ${offset}`),
          `life ${life}: ${partition} ${offset} is stored as done, and is not`,
        ).toBe(true);
      }
    }
    for (const outcome of await store.fetch(keys)) {
      if (outcome.status === "found") ranges += outcome.record.acknowledged?.length ?? 0;
    }
    if (!isLast) continue;
    expect(hasEnded).toBe(true);
    break;
  }
  expect(done.size).toBe(RECORDS * PARTITIONS);
  // It was about something: records were done beyond the slow ones.
  expect(ranges).toBeGreaterThan(0);
  for (const outcome of await store.fetch(keys)) {
    expect(outcome).toMatchObject({ record: { nextOffset: BigInt(RECORDS) } });
  }
});
