import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openLocalLog } from "@tidemark/source-local";
import { PROGRAM_OPTIONS, TEST_EFFORT } from "@tidemark/test-support";
import { expect, it, onTestFinished } from "vitest";
import type { Backend, backends } from "./backend.ts";

const LIVES = 10 * TEST_EFFORT;
const BATCH = 500;
/** More than all of them can do before they stand still, so that every one is killed. */
const RECORDS = 4_000 * LIVES;
/** In this transaction also those stand still that are killed at any moment: one that is killed late must not use up the log. */
const LAST = 10;
/** A few transactions take as long. */
const LONGEST_LIFE_MS = 25;
const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));

/** Whom to kill. */
export interface Killed<Transaction> {
  readonly kind: keyof typeof backends;
  readonly url: string;
  /** Where a backend keeps what it writes, given a folder of the test's own. */
  placeIn(folder: string): string;
  open(place: string): Promise<Backend<Transaction>>;
}

/**
 * A test that kills those who write batches and their positions: every other one where it stands in its transaction with all of it
 * written, in between at any moment. Each record is there once, and the position with it.
 */
export function killTransacts<Transaction>({ kind, url, placeIn, open }: Killed<Transaction>): void {
  it(
    `killed ${LIVES} times in the middle of transact() on batches of ${BATCH}: each record is written once, with its position (contract 5.27a)`,
    { timeout: 300_000 * TEST_EFFORT },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "tidemark-transact-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const logFile = join(folder, "log.db");
      {
        await using log = await openLocalLog({ file: logFile, synchronous: "normal" });
        await log.admin.createTopic("orders", { partitions: 1 });
        const records = Array.from({ length: RECORDS }, () => ({ value: Buffer.from("x") }));
        await log.producer.produce("orders", 0, records);
      }
      const place = placeIn(folder);
      const backend = await open(place);
      onTestFinished(() => backend.close({ drop: true }));
      const start = (heldAt: number) => {
        const args = [WORKER, kind, logFile, url, place, String(BATCH), String(heldAt)];
        const child = spawn(process.execPath, [...PROGRAM_OPTIONS, ...args], { stdio: ["ignore", "pipe", "inherit"] });
        onTestFinished(() => void child.kill("SIGKILL"));
        return { child, said: createInterface({ input: child.stdout }), exited: once(child, "exit") };
      };
      /** Checks that the records from the first on are there once each, and gives their number: the one to come next. */
      const look = async (): Promise<number> => {
        const numbers = await backend.results();
        const next = numbers.reduce((most, number) => Math.max(most, number + 1), 0);
        expect({ count: numbers.length, different: new Set(numbers).size }).toEqual({ count: next, different: next });
        return next;
      };
      for (let life = 0, before = 0; life < LIVES; life += 1) {
        const number = 1 + Math.floor(Math.random() * 3);
        const isHeld = life % 2 === 0;
        const { child, said, exited } = start(isHeld ? number : LAST);
        const until = isHeld ? "held" : "begun";
        let heard = 0;
        for await (const line of said) {
          if (line === until) heard += 1;
          if (heard === (isHeld ? 1 : number)) break;
        }
        if (!isHeld) await pause(Math.random() * LONGEST_LIFE_MS);
        // What the process before sent to be committed may have been written after its death, but before this one began.
        const standing = isHeld ? await look() : undefined;
        child.kill("SIGKILL");
        await exited;
        const next = await look();
        // Of the one that stood still nothing is there; of another at least what was committed before the last that it was heard to begin.
        expect(next).toBeGreaterThanOrEqual(before + (number - 1) * BATCH);
        if (isHeld) expect({ life, next }).toEqual({ life, next: standing });
        before = next;
      }
      const { child, exited } = start(0);
      child.stdout.resume();
      expect(await exited).toEqual([0, null]);
      expect(await look()).toBe(RECORDS);
      const [position] = await backend.store.fetch([{ consumer: "c1", topic: "orders", partition: 0 }]);
      expect(position).toMatchObject({ record: { nextOffset: BigInt(RECORDS) } });
    },
  );
}
