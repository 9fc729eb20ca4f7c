import { type ClaimEntry, createConsumer, OffsetStoreError } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { eventually } from "../session/eventually.ts";
import { Group, LEASE_MS } from "./group.ts";
import { ordersLog } from "./orders.ts";

test("a member reads all that is stored as its own, also where the answer to a claim was lost (contract 8.7)", async () => {
  const partitions = 20;
  const source = await ordersLog(1, partitions);
  await using group = new Group(source);
  const { store, backend } = group;
  const keys = Array.from({ length: partitions }, (_, partition) => ({ consumer: "c1", topic: "orders", partition }));
  const other = { owner: "other", member: "other" };
  const claims = keys.map((key) => ({ key, token: "other's", ...other }));
  await store.heartbeat({
    ...{ key: { consumer: "c1", topic: "orders", member: "other" }, mode: "balanced", owner: "other" },
    ...{ lease: 600_000, held: partitions },
  });
  await store.claim(claims);
  const inner = createMemoryStore({ backend });
  let lost: readonly ClaimEntry[] | undefined;
  const member = new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== "claim" || lost !== undefined)
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      return async (entries: readonly ClaimEntry[]) => {
        lost = entries;
        await inner.claim(entries);
        throw new OffsetStoreError("the answer is lost", {
          ...({ code: "UNAVAILABLE", operation: "claim", store: "memory", keys: [] } as const),
        });
      };
    },
  });
  await using consumer = await createConsumer({
    ...{ source, store: member, topic: "orders", consumer: "c1", lease: LEASE_MS },
  });
  expect(consumer.partitions).toEqual([]);
  await store.commit(keys.map((key) => ({ key, token: "other's", release: true })));
  await eventually(() => consumer.partitions.length === partitions / 2);
  expect(lost).toHaveLength(partitions / 2);
  const outcomes = await store.fetch(keys);
  const owned = outcomes.flatMap((outcome, partition) =>
    outcome.status === "found" && outcome.record.member !== undefined ? partition : [],
  );
  expect(owned).toEqual(consumer.partitions);
});

test("revoked says that a partition is given up when that is written, and once (contract 8.7)", async () => {
  const source = await ordersLog(10, 2);
  await using group = new Group(source);
  // The position that cannot be written, and none to be written at all.
  for (const flushInterval of [600_000, 10]) {
    const one = await group.join({ consumer: `c${flushInterval}`, flushInterval });
    await eventually(() => one.handled.length === 20);
    if (flushInterval === 10) await one.consumer.flush();
    one.member.refusesCommits = true;
    await group.store.heartbeat({
      ...{ key: { consumer: `c${flushInterval}`, topic: "orders", member: "other" }, mode: "balanced" },
      ...{ lease: 600_000, owner: "other", held: 0 },
    });
    const failures = one.events.of("flush-failed").length;
    await eventually(() => one.events.of("flush-failed").length > failures + 3);
    expect(one.events.of("revoked")).toEqual([]);
    one.member.refusesCommits = false;
    await one.events.first("revoked");
    // Looks at who lives come and go.
    const looks = Date.now() + LEASE_MS;
    await eventually(() => Date.now() > looks);
    expect(one.events.of("revoked")).toHaveLength(1);
    await one.consumer.close();
  }
});
