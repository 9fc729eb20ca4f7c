import { openOffsetSession, type OffsetSessionOptions } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { consumer: "c1", topic: "orders", partitions: [0] };

test.each<[string, Record<string, unknown>, typeof TypeError | typeof RangeError]>([
  ["consumer", { consumer: "" }, TypeError],
  ["topic", { topic: "\ud800" }, TypeError],
  ["partitions", { partitions: [] }, TypeError],
  ["partition", { partitions: [0.5] }, RangeError],
  ["strategy", { strategy: "automatic" }, TypeError],
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

test("none: a session reads what is stored, claims nothing, and neither commits nor flushes (contract 5.20)", async () => {
  const store = createMemoryStore();
  await using writer = await openOffsetSession({ ...options, store, owner: "the writer" });
  writer.commit({ partition: 0, offset: 4n });
  await writer.flush();
  const before = await store.fetch([key]);
  {
    await using reader = await openOffsetSession({ ...options, store, strategy: "none", owner: "a reader" });
    expect(reader.position(0)).toBe(5n);
    reader.deliver({ partition: 0, offset: 5n });
    expect(() => reader.commit()).toThrow(/only reads/);
    expect(() => reader.commit({ partition: 0, offset: 5n })).toThrow(/only reads/);
    await expect(reader.flush()).rejects.toThrow(/only reads/);
  }
  expect(await store.fetch([key])).toEqual(before);
  writer.commit({ partition: 0, offset: 5n });
  await writer.flush();
});
