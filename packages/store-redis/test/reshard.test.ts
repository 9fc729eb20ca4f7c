import type { OffsetStore } from "@tidemark/core";
import { expect, it, onTestFinished, vi } from "vitest";
import { openRedisStore } from "../src/index.ts";
import { beginMove, launchCluster, moveSlot, slotOf } from "./moving-slots.ts";

const namespace = "moving {here}";
const index = "tidemark:{moving%20%7Bhere%7D}";
const topic = "orders {1}/é%";
const token = "t";
const owner = "o";

it("works on while its slot moves between the nodes of a Cluster", async ({ skip }) => {
  const { nodes, cluster } = await launchCluster(skip);
  const store = await openRedisStore({ client: cluster, namespace });
  onTestFinished(() => store.close());
  const keys = Array.from({ length: 24 }, (_, each) => ({ consumer: `c{${each}}`, topic, partition: each }));
  await store.claim(keys.map((key) => ({ key, token, owner })));
  const slot = await slotOf(nodes, index);
  let position = 0n;
  const moving = new AbortController();
  const errors = new Set<string>();
  const work = (async () => {
    while (!moving.signal.aborted) {
      position += 1n;
      const outcomes = await store.commit(keys.map((key) => ({ key, token, nextOffset: position })));
      for (const outcome of outcomes) if (outcome.status !== "committed") errors.add(JSON.stringify(outcome));
      const fresh = { consumer: `new ${position % 20n}`, topic, partition: 0 };
      await store.claim([{ key: fresh, token, owner }]);
      const seen = new Set(await listed(store));
      if (!seen.has(fresh.consumer)) errors.add(`not listed: ${fresh.consumer}`);
      for (const { consumer } of keys) if (!seen.has(consumer)) errors.add(`not listed: ${consumer}`);
      const removed = await store.delete({ keys: [fresh] });
      if (removed.length !== 1) errors.add(`not removed: ${fresh.consumer}`);
    }
  })();
  work.catch(() => undefined);
  // Each key that moves is met by work, however slow that is.
  const met = (): Promise<unknown> => {
    const before = position;
    return Promise.race([vi.waitUntil(() => position > before, { timeout: 30_000 }), work]);
  };
  for (let round = 0; round < 2; round += 1) await moveSlot(nodes, slot, met);
  moving.abort();
  await work;
  expect([...errors]).toEqual([]);
  for (const outcome of await store.fetch(keys)) {
    expect(outcome).toMatchObject({ status: "found", record: { nextOffset: position } });
  }
  expect((await listed(store)).toSorted()).toEqual(keys.map(({ consumer }) => consumer).toSorted());
});

it("answers a namespace's first claim while its slot moves, however long that takes", async ({ skip }) => {
  const { nodes, cluster } = await launchCluster(skip);
  const store = await openRedisStore({ client: cluster, namespace, timeout: 5_000 });
  onTestFinished(() => store.close());
  await beginMove(nodes, await slotOf(nodes, index));
  const key = { consumer: "first", topic, partition: 0 };
  const other = { consumer: "second", topic, partition: 7 };
  const claims = [key, other].map((each) => ({ key: each, token, owner }));
  expect(await store.claim(claims)).toMatchObject([{ status: "claimed" }, { status: "claimed" }]);
  expect(await store.commit([{ key, token, nextOffset: 5n }])).toEqual([{ status: "committed" }]);
  expect(await store.claim([{ key, token: "newer", owner }])).toMatchObject([{ record: { nextOffset: 5n } }]);
  expect(await store.commit([{ key, token, nextOffset: 6n }])).toMatchObject([
    { status: "fenced", reason: "superseded" },
  ]);
  expect((await listed(store)).toSorted()).toEqual(["first", "second"]);
  expect(await store.delete({ keys: [other] })).toEqual([other]);
  expect(await listed(store)).toEqual(["first"]);
});

async function listed(store: OffsetStore<never>): Promise<string[]> {
  return (await Array.fromAsync(store.list({ topic }))).map(({ consumer }) => consumer);
}
