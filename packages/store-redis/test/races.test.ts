import type { OffsetKey, OffsetStore } from "@tidemark/core";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";

const ROUNDS = 300;
const token = "t";
const owner = "o";

await describeWithServer("redis", (server) => {
  describe("the index", () => {
    it("names every living record after claims, deletions and prunes side by side", async () => {
      const namespace = `races-${crypto.randomUUID()}`;
      const stores = await Promise.all(Array.from({ length: 4 }, () => openRedisStore({ url: server.url, namespace })));
      const admin = await createClient({ url: server.url }).connect();
      const [names, claimed] = [`tidemark:{${namespace}}`, `tidemark:{${namespace}}:claimed`];
      onTestFinished(async () => {
        await stores[0]?.delete({ topic: "t" });
        await Promise.all(stores.map((store) => store.close()));
        await admin.del([names, claimed]);
        admin.destroy();
      });
      const keys = Array.from({ length: 12 }, (_, each): OffsetKey => ({
        consumer: `c${each}`,
        topic: "t",
        partition: 0,
      }));
      // Every entry is old when a round begins: whatever is gone for a moment, and is not claimed again, may be pruned.
      const age = async (): Promise<void> => {
        for (const member of await admin.hKeys(claimed)) await admin.hSet(claimed, member, "1");
      };
      let pruned = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        // These are gone, and the index still names them: a prune and a claim come for them at once.
        await stores[0]?.delete({ keys: keys.filter((_, each) => (each + round) % 4 < 2) });
        await age();
        await Promise.all(
          stores.flatMap((store, place) => [
            Array.fromAsync(store.list()),
            ...keys.map(async (key, each) => {
              const turn = (each + round) % 4;
              if (turn === 0 && place % 2 === 0) await store.claim([{ key, token, owner }]);
              if (turn === 2) await store.delete(place % 2 === 0 ? { keys: [key] } : { consumer: key.consumer });
              if (turn === 3 && place === 0) await store.reset([{ key, nextOffset: BigInt(round) }]);
              if (turn === 3 && place === 1) await store.delete({ consumer: key.consumer, topic: "t" });
            }),
            Array.fromAsync(store.list({ topic: "t" })),
          ]),
        );
        expect(await listed(stores[0])).toEqual(await living(admin, namespace));
        if ((await admin.zCard(names)) < keys.length) pruned += 1;
      }
      // Entries did go meanwhile, and came back.
      expect(pruned).toBeGreaterThan(0);
    });

    it("forgets names faster than new ones come, with nobody listing", async () => {
      const namespace = `races-${crypto.randomUUID()}`;
      const store = await openRedisStore({ url: server.url, namespace });
      const admin = await createClient({ url: server.url }).connect();
      const [names, claimed] = [`tidemark:{${namespace}}`, `tidemark:{${namespace}}:claimed`];
      onTestFinished(async () => {
        await store.delete({ topic: "t" });
        await store.close();
        await admin.del([names, claimed]);
        admin.destroy();
      });
      // Consumers of one run each, as they are left when their records have expired.
      const dead = Array.from({ length: 4_000 }, (_, each) => `gone${each}/t`);
      await admin.zAdd(
        names,
        dead.map((value) => ({ score: 0, value })),
      );
      await admin.hSet(claimed, Object.fromEntries(dead.map((member) => [member, "1"])));
      for (let run = 0; run < 80; run += 1) {
        const runs = Array.from({ length: 10 }, (_, each) => ({
          consumer: `run${run}-${each}`,
          topic: "t",
          partition: 0,
        }));
        await Promise.all(runs.map((key) => store.claim([{ key, token, owner }])));
      }
      expect(await admin.zCard(names)).toBeLessThan(4_000);
      expect(await listed(store)).toHaveLength(800);
      expect(await admin.zCard(names)).toBe(800);
    });

    it("names a record whose claim was cut off between its two steps, once it is claimed again", async () => {
      const namespace = `races-${crypto.randomUUID()}`;
      const proxy = await openTcpProxy({ port: Number(new URL(server.url).port), protocol: "resp" });
      const direct = await openRedisStore({ url: server.url, namespace });
      const key = { consumer: "c", topic: "t", partition: 0 };
      const client = createClient({ url: `redis://127.0.0.1:${proxy.port}` });
      client.on("error", () => undefined);
      await client.connect();
      const store = await openRedisStore({ client, namespace, timeout: 1_000, onEvent: () => undefined });
      onTestFinished(async () => {
        await direct.delete({ topic: "t" });
        await direct.close();
        await store.close();
        client.destroy();
        await proxy.close();
      });
      // The second request of a claim is the one that writes the record.
      let requests = 0;
      const cut = proxy.cutBeforeRequest({
        match: ({ name }) => name === "EVALSHA" && ++requests === 2,
        stayCut: true,
      });
      await direct.claim([{ key: { ...key, consumer: "warm" }, token, owner }]);
      await expect(store.claim([{ key, token, owner }])).rejects.toMatchObject({ retryable: true });
      await cut;
      expect(await direct.fetch([key])).toEqual([{ status: "absent" }]);
      // The index names it, and nothing is there: no listing and no prune minds.
      expect(await listed(direct)).toEqual(["warm/t"]);
      proxy.restore();
      await expect
        .poll(() => store.claim([{ key, token, owner }]).catch(() => undefined), { timeout: 10_000 })
        .toMatchObject([{ status: "claimed" }]);
      expect(await listed(direct)).toEqual(["c/t", "warm/t"]);
    });
  });
});

async function listed(store: OffsetStore<never> | undefined): Promise<string[]> {
  const records = await Array.fromAsync(store?.list() ?? []);
  return records.map(({ consumer, topic }) => `${consumer}/${topic}`).toSorted();
}

/** What is there, as the keys themselves say it. */
async function living(admin: { keys(pattern: string): Promise<string[]> }, namespace: string): Promise<string[]> {
  const keys = await admin.keys(`tidemark:{${namespace}/*`);
  return keys.map((key) => key.slice(key.indexOf("/") + 1, -1)).toSorted();
}
