import { type MemberEntry, OffsetFencedError, openOffsetSession } from "@tidemark/core";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { eventually } from "./eventually.ts";

test("of two sessions of an instance that begin at once the newer stays, also if the older wrote over it (contract 8.10)", async () => {
  const backend = createMemoryBackend();
  const options = { consumer: "c1", topic: "orders", partitions: [0], instance: "pod-0", lease: 1_000 };
  const isSent = Promise.withResolvers<void>();
  const mayArrive = Promise.withResolvers<void>();
  const generations: (number | undefined)[] = [];
  const inner = createMemoryStore({ backend });
  const slow = new Proxy(inner, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (property !== "heartbeat") return typeof value === "function" ? value.bind(target) : value;
      return async (entry: MemberEntry): Promise<void> => {
        isSent.resolve();
        await mayArrive.promise;
        for await (const { generation } of target.members()) generations.push(generation);
        await target.heartbeat(entry);
        generations.push(entry.generation);
      };
    },
  });
  const opening = openOffsetSession({ ...options, store: slow });
  await isSent.promise;
  // The number of the other is one of a later millisecond.
  const sentAt = Date.now();
  await eventually(() => Date.now() > sentAt);
  await using newer = await openOffsetSession({ ...options, store: createMemoryStore({ backend }) });
  mayArrive.resolve();
  await using older = await opening;
  const [found = 0, written = 0] = generations;
  expect(written).toBeLessThan(found);
  await eventually(() => older.fenced !== undefined, 60_000);
  expect(older.fenced).toBeInstanceOf(OffsetFencedError);
  await eventually(() => newer.partitions.length === 1, 60_000);
  newer.commit({ partition: 0, offset: 41n });
  await newer.flush();
  expect(newer.fenced).toBeUndefined();
});
