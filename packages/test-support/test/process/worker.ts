/** Processes a topic in parallel and out of order, and writes down what it is given and what it has done, until it is killed. */
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";

const [file = "", journal = "", slowMs = "0"] = process.argv.slice(2);
const log = await openLocalLog({ file: `${file}.log`, synchronous: "normal" });
const store = await openSqliteStore({ file, synchronous: "normal" });
const consumer = await createConsumer({
  ...{ source: log, store, topic: "orders", consumer: "c1", flushInterval: 5, untilEnd: true },
});
const note = (what: string, partition: number, offset: bigint): void =>
  appendFileSync(journal, `${what} ${partition} ${offset}\n`);
await consumer.process(
  async ({ partition, offset }) => {
    note("given", partition, offset);
    await pause(offset % 1_000n === 7n ? Number(slowMs) : 0);
    note("done", partition, offset);
  },
  { order: "none", concurrency: 32 },
);
await consumer.close();
note("end", 0, 0n);
await store.close();
await log.close();
