import { randomUUID } from "node:crypto";
import { openSqliteStore } from "../../src/index.ts";

/** Counts a position up under claims of its own, against everybody else who does; tells how often it was fenced. */
const [file = "", workers = "1", commits = "1"] = process.argv.slice(2);
const key = { consumer: "race", topic: "orders", partition: 0 };

async function countUp(): Promise<number> {
  const store = await openSqliteStore({ file, timeout: 25_000 });
  let fenced = 0;
  for (let committed = 0; committed < Number(commits);) {
    const token = randomUUID();
    const [claimed] = await store.claim([{ key, token, owner: String(process.pid) }]);
    if (claimed?.status !== "claimed") throw new Error("the claim failed", { cause: claimed });
    const nextOffset = (claimed.record?.nextOffset ?? 0n) + 1n;
    const [outcome] = await store.commit([{ key, token, nextOffset }]);
    if (outcome?.status === "committed") committed += 1;
    else if (outcome?.status === "fenced") {
      fenced += 1;
      // Workers in step would fence one another for ever.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
    } else throw new Error("neither committed nor fenced", { cause: outcome });
  }
  await store.close();
  return fenced;
}

const fenced = await Promise.all(Array.from({ length: Number(workers) }, countUp));
process.send?.(fenced.reduce((sum, count) => sum + count, 0));
process.disconnect?.();
