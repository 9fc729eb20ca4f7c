/** A member in a thread: says what it is given and what it handles. */
import { parentPort, workerData } from "node:worker_threads";
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";

// oxlint-disable unicorn/require-post-message-target-origin -- a port of a thread has no origin
const { file, leaseMs } = workerData as { readonly file: string; readonly leaseMs: number };
const source = await openLocalLog({ file: `${file}.log`, synchronous: "normal" });
const store = await openSqliteStore({ file, synchronous: "normal" });
const consumer = await createConsumer({
  ...{ source, store, topic: "orders", consumer: "c1", lease: leaseMs, flushInterval: 20, maxWait: 50 },
  onEvent: (event) => {
    if (event.type === "assigned") parentPort?.postMessage({ type: "assigned", partitions: event.partitions });
    if (event.type === "revoked") parentPort?.postMessage({ type: "revoked", reason: event.reason });
  },
});
parentPort?.postMessage({ type: "created", partitions: consumer.partitions });
for await (const { partition, offset } of consumer) parentPort?.postMessage({ type: "handled", partition, offset });
