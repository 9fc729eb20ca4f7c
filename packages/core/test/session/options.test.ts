import { openOffsetSession, type OffsetSessionOptions } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";

const options = { consumer: "c1", topic: "orders", partitions: [0] };

test.each<[string, Record<string, unknown>, typeof TypeError | typeof RangeError]>([
  ["consumer", { consumer: "" }, TypeError],
  ["topic", { topic: "\ud800" }, TypeError],
  ["partitions", { partitions: [] }, TypeError],
  ["partition", { partitions: [0.5] }, RangeError],
  ["strategy", { strategy: "manual" }, TypeError],
  ["flushInterval", { flushInterval: -1 }, RangeError],
  ["renewInterval", { renewInterval: 0 }, RangeError],
  ["maxUnflushedAge", { maxUnflushedAge: Number.POSITIVE_INFINITY }, RangeError],
  ["ttl", { ttl: -1 }, RangeError],
  ["owner", { owner: 5 }, TypeError],
  ["onfenced", { onfenced: "continue" }, TypeError],
  ["store", { store: {} }, TypeError],
  ["signal", { signal: {} }, TypeError],
  ["renewInterval", { renewInterval: 5_000, ttl: 1_000 }, RangeError],
  ["onFenced", { onFenced: "ignore" }, TypeError],
])("a wrong %s (%o) is refused before anything is claimed (contract 5.18)", async (named, part, kind) => {
  const store = createMemoryStore();
  const asked: OffsetSessionOptions = { store, ...options, ...part };
  const opening = openOffsetSession(asked);
  const error: unknown = await opening.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(kind);
  expect((error as Error).message).toContain(named);
  expect(await Array.fromAsync(store.list())).toEqual([]);
});
