import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openLocalLog } from "@tidemark/source-local";
import { openMongoStore } from "@tidemark/store-mongo";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { MongoClient } from "mongodb";
import { expect, it, onTestFinished } from "vitest";

const KILLS = 50;
const BATCH = 500;
/** More than all lives can do before they are killed. */
const RECORDS = 60_000;
/** About as long as a transaction takes. */
const LONGEST_LIFE_MS = 40;
const worker = fileURLToPath(new URL("transact-on-mongo-worker.ts", import.meta.url));

await describeWithTransactions(({ url }) => {
  it(
    `killed ${KILLS} times in the middle of transact() on a batch of ${BATCH}: each record is written once, with its position`,
    { timeout: 300_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "tidemark-transact-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const file = join(folder, "log.db");
      {
        await using log = await openLocalLog({ file, synchronous: "normal" });
        await log.admin.createTopic("orders", { partitions: 1 });
        const records = Array.from({ length: RECORDS }, () => ({ value: Buffer.from("x") }));
        await log.producer.produce("orders", 0, records);
      }
      const database = `kills-${randomBytes(6).toString("hex")}`;
      const client = await MongoClient.connect(url);
      onTestFinished(async () => {
        await client.db(database).dropDatabase();
        await client.close();
      });
      // It must be there before a transaction writes to it.
      const results = await client.db(database).createCollection<{ number: number }>("results");
      await using store = await openMongoStore({ client, database });
      const start = () => {
        const options = ["--conditions=@tidemark/source", "--disable-warning=ExperimentalWarning"];
        const child = spawn(process.execPath, [...options, worker, file, url, database, String(BATCH)], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        onTestFinished(() => void child.kill("SIGKILL"));
        return { child, exited: once(child, "exit") };
      };
      /** What is there, by one look: how many records, how many different ones, and the one after the last. */
      const look = async () => {
        const numbers = (await results.find().toArray()).map(({ number }) => number);
        const next = numbers.reduce((most, number) => Math.max(most, number + 1), 0);
        return { count: numbers.length, different: new Set(numbers).size, next };
      };
      let cut = 0;
      for (let life = 0, before = 0; life < KILLS; life += 1) {
        const { child, exited } = start();
        await Promise.race([
          once(child.stdout, "data"),
          exited.then(([code]) => Promise.reject(new Error(`the worker ended with ${String(code)}`))),
        ]);
        await pause(Math.random() * LONGEST_LIFE_MS);
        child.kill("SIGKILL");
        await exited;
        const { next, ...found } = await look();
        expect(found).toEqual({ count: next, different: next });
        if (next === before) cut += 1;
        before = next;
      }
      // It was about something: some were killed before their first commit, and some after it.
      expect(cut).toBeGreaterThan(0);
      expect(cut).toBeLessThan(KILLS);
      const { child, exited } = start();
      child.stdout.resume();
      expect(await exited).toEqual([0, null]);
      expect(await look()).toEqual({ count: RECORDS, different: RECORDS, next: RECORDS });
      const [position] = await store.fetch([{ consumer: "c1", topic: "orders", partition: 0 }]);
      expect(position).toMatchObject({ record: { nextOffset: BigInt(RECORDS) } });
    },
  );
});
