import { openSqliteStore } from "../../src/index.ts";

/** Writes all partitions to the same position in one call, again and again, and tells when it has ended. */
const [file = "", partitions = "1", commits = "1"] = process.argv.slice(2);
const keys = Array.from({ length: Number(partitions) }, (_, partition) => ({
  consumer: "batches",
  topic: "orders",
  partition,
}));

const store = await openSqliteStore({ file, synchronous: "normal" });
await store.claim(keys.map((key) => ({ key, token: "t", owner: "batch-writer" })));
for (let nextOffset = 1n; nextOffset <= BigInt(commits); nextOffset += 1n) {
  await store.commit(keys.map((key) => ({ key, token: "t", nextOffset })));
}
await store.close();
process.send?.("done");
process.disconnect?.();
