import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";

const FIELDS = 20_000;
const token = "t";
const owner = "o";

await describeWithServer("redis", (server) => {
  const keyOf = (partition: number) => ({ consumer: "c", topic: "t", partition });

  it("tells each record once while its hash grows and shrinks under the listing", async () => {
    const store = await openRedisStore({ url: server.url, namespace: `large-${crypto.randomUUID()}` });
    onTestFinished(async () => {
      await store.delete({ topic: "t" });
      await store.close();
    });
    const claims = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, each) => ({ key: keyOf(from + each), token, owner }));
    await store.claim(claims(0, FIELDS));
    const times = new Map<number, number>();
    let added = FIELDS;
    for await (const { partition } of store.list()) {
      const count = (times.get(partition) ?? 0) + 1;
      times.set(partition, count);
      // The table doubles twice, and others go: each page is read from another table.
      if (times.size % 900 === 0 && added < FIELDS * 4) {
        await store.claim(claims(added, added + 4_000));
        await store.delete({ keys: claims(added, added + 1_000).map(({ key }) => key) });
        added += 4_000;
      }
    }
    expect(added).toBeGreaterThan(FIELDS * 3);
    expect([...times.values()].filter((count) => count !== 1)).toEqual([]);
    for (let partition = 0; partition < FIELDS; partition += 1) expect(times.has(partition)).toBe(true);
  });
});
