import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openLocalLog } from "@tidemark/source-local";
import { openPostgresStore } from "@tidemark/store-postgres";
import { describeWithServer } from "@tidemark/test-support/servers";
import { Client } from "pg";
import { expect, it, onTestFinished } from "vitest";

const KILLS = 50;
const BATCH = 500;
/** More than all lives can do before they are killed. */
const RECORDS = 60_000;
/** About as long as a transaction takes. */
const LONGEST_LIFE_MS = 25;
const worker = fileURLToPath(new URL("transact-worker.ts", import.meta.url));

await describeWithServer("postgres", ({ url }) => {
  it(
    `killed ${KILLS} times in the middle of transact() on a batch of ${BATCH}: each record is written once, with its position`,
    { timeout: 240_000 },
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
      const schema = `kills_${randomBytes(6).toString("hex")}`;
      const client = new Client({ connectionString: url });
      await client.connect();
      await client.query(`CREATE SCHEMA ${schema}`);
      onTestFinished(async () => {
        await client.query(`DROP SCHEMA ${schema} CASCADE`);
        await client.end();
      });
      await client.query(`CREATE TABLE ${schema}.results (number integer)`);
      await using store = await openPostgresStore({ url, schema });
      const start = () => {
        const options = ["--conditions=@tidemark/source", "--disable-warning=ExperimentalWarning"];
        const child = spawn(process.execPath, [...options, worker, file, url, schema, String(BATCH)], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        onTestFinished(() => void child.kill("SIGKILL"));
        return { child, exited: once(child, "exit") };
      };
      /** What is there, by one look: how many records, how many different ones, and up to which. */
      const look = async () => {
        const { rows } = await client.query<{ count: number; different: number; next: number }>(
          `SELECT count(*)::integer AS count, count(DISTINCT number)::integer AS different,
             coalesce(max(number) + 1, 0) AS next FROM ${schema}.results`,
        );
        return rows[0];
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
        const found = await look();
        expect(found).toEqual({ count: found?.next, different: found?.next, next: found?.next });
        if (found?.next === before) cut += 1;
        before = found?.next ?? 0;
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
