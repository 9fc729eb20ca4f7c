import type { OffsetKey, OffsetStore } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { openRedisStore, type RedisStoreClient } from "../src/index.ts";
import { endMove, beginMove, launchCluster, slotOf } from "./moving-slots.ts";

const ROUNDS = 300;
const token = "t";
const owner = "o";

await describeWithServer("redis", (server) => {
  describe("the index", () => {
    async function setUp(stores: number) {
      const namespace = `races-${crypto.randomUUID()}`;
      const opened = await Promise.all(
        Array.from({ length: stores }, () => openRedisStore({ url: server.url, namespace })),
      );
      const admin = await createClient({ url: server.url }).connect();
      const index = `tidemark:{${namespace}}`;
      onTestFinished(async () => {
        await Promise.all(opened.map((store) => store.close()));
        const left = await admin.keys(`${index}*`);
        if (left.length > 0) await admin.del(left);
        admin.destroy();
      });
      return { stores: opened, admin, index };
    }

    it("names every living record after claims, deletions and prunes side by side", async () => {
      const { stores, admin, index } = await setUp(4);
      const keys = Array.from({ length: 12 }, (_, each): OffsetKey => ({
        consumer: `c${each}`,
        topic: "t",
        partition: 0,
      }));
      const hashes = async (): Promise<string[]> =>
        (await admin.keys(`${index}:*`)).map((name) => `${name.slice(index.length + 1)}/0`).toSorted();
      let pruned = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        // As when they expire by themselves: the index still names them. A prune and a claim come for them at once.
        const gone = keys.filter((_, each) => (each + round) % 4 < 2).map(({ consumer }) => `${index}:${consumer}/t`);
        await admin.del(gone);
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
        const living = await hashes();
        if ((await admin.zCard(index)) < keys.length) pruned += 1;
        expect((await listed(stores[0])).toSorted()).toEqual(living);
        expect(await admin.zRange(index, 0, -1)).toEqual(living);
      }
      // Entries did go meanwhile, and came back.
      expect(pruned).toBeGreaterThan(0);
    });

    it("forgets names faster than new ones come, with nobody listing", async () => {
      const { stores, admin, index } = await setUp(2);
      // Consumers of one run each, as they are left when their records have expired.
      const dead = Array.from({ length: 4_000 }, (_, each) => ({ score: 0, value: `gone${each}/t/0` }));
      await admin.zAdd(index, dead);
      for (let run = 0; run < 80; run += 1) {
        const runs = Array.from({ length: 10 }, (_, each) => ({
          consumer: `run${run}-${each}`,
          topic: "t",
          partition: 0,
        }));
        await Promise.all(
          stores.flatMap((store, place) =>
            runs.filter((_, each) => each % 2 === place).map((key) => store.claim([{ key, token, owner }])),
          ),
        );
      }
      await expect.poll(() => admin.zCard(index)).toBeLessThan(4_000);
      expect(await listed(stores[0])).toHaveLength(800);
      expect(await admin.zCard(index)).toBe(800);
    });
  });
});

it("enters a record again that somebody took out of the index while it was written", async ({ skip }) => {
  const { nodes, cluster } = await launchCluster(skip);
  await using other = await openRedisStore({ client: cluster, namespace: "moving" });
  const key = { consumer: "c", topic: "t", partition: 0 };
  const slot = await slotOf(nodes, "tidemark:{moving}");
  const move = await beginMove(nodes, slot);
  const sent: string[] = [];
  // The slot moves: the index is told first. Then the slot has moved, and somebody finds that there is no such record.
  const watched: RedisStoreClient = Object.create(cluster, {
    sendCommand: {
      value: async (...args: Parameters<typeof cluster.sendCommand>) => {
        const [name = ""] = args[2];
        if (sent.at(-1) === "ZADD" && name === "EVALSHA") {
          await endMove(nodes, slot, move);
          expect(await listed(other)).toEqual([]);
          expect(await cluster.zCard("tidemark:{moving}")).toBe(0);
        }
        sent.push(String(name));
        return cluster.sendCommand(...args);
      },
    },
  });
  await using store = await openRedisStore({ client: watched, namespace: "moving" });
  sent.length = 0;
  expect(await store.claim([{ key, token, owner }])).toMatchObject([{ status: "claimed" }]);
  expect(sent.filter((each) => each === "ZADD")).toHaveLength(2);
  expect(sent.at(-1)).toBe("ZADD");
  expect(await listed(other)).toEqual(["c/t/0"]);
});

async function listed(store: OffsetStore<never> | undefined): Promise<string[]> {
  const records = await Array.fromAsync(store?.list() ?? []);
  return records.map(({ consumer, topic, partition }) => `${consumer}/${topic}/${partition}`);
}
