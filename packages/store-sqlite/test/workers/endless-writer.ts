import { openSqliteStore } from "../../src/index.ts";

/** Commits until it is killed, and tells of each position that was acknowledged. */
const [file = ""] = process.argv.slice(2);
const key = { consumer: "killed", topic: "orders", partition: 0 };

const store = await openSqliteStore({ file });
await store.claim([{ key, token: "t", owner: "endless" }]);
for (let nextOffset = 1n; ; nextOffset += 1n) {
  const [outcome] = await store.commit([{ key, token: "t", nextOffset }]);
  if (outcome?.status !== "committed") throw new Error("not committed", { cause: outcome });
  process.send?.(String(nextOffset));
  // Lets the message leave.
  await new Promise((resolve) => setImmediate(resolve));
}
