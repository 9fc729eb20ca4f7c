import { createConsumer, type ConsumerOptions, type OffsetStore } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { ordersLog } from "./orders.ts";

/** Something whose every call is written down. */
function watched<Subject extends object>(subject: Subject, calls: string[]): Subject {
  return new Proxy(subject, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): unknown => {
        calls.push(String(name));
        return value.apply(target, given) as unknown;
      };
    },
  });
}

test.each<[string, Record<string, unknown>, typeof TypeError | typeof RangeError]>([
  ["source", { source: undefined }, TypeError],
  ["topic", { topic: "" }, TypeError],
  ["topic", { topic: "x".repeat(256) }, TypeError],
  ["consumer", { consumer: "" }, TypeError],
  ["consumer", { consumer: undefined }, TypeError],
  ["store", { store: undefined }, TypeError],
  ["partitions", { partitions: [] }, TypeError],
  ["partitions", { partitions: [0, 0] }, TypeError],
  ["partition", { partitions: [-1] }, RangeError],
  ["strategy", { strategy: "automatic" }, TypeError],
  ["onFenced", { onFenced: "ignore" }, TypeError],
  ["flushInterval", { flushInterval: -1 }, RangeError],
  ["flushInterval", { flushInterval: Number.NaN }, RangeError],
  ["flushInterval", { flushInterval: "3000" }, TypeError],
  ["renewInterval", { renewInterval: 0 }, RangeError],
  ["maxUnflushedAge", { maxUnflushedAge: 2 ** 31 }, RangeError],
  ["ttl", { ttl: 0 }, RangeError],
  ["ttl", { ttl: 0.5 }, RangeError],
  ["owner", { owner: "" }, TypeError],
  ["maxBytes", { maxBytes: 0 }, RangeError],
  ["maxBytes", { maxBytes: "5" }, TypeError],
  ["maxBufferedBytes", { maxBufferedBytes: 0 }, RangeError],
  ["maxWait", { maxWait: -1 }, RangeError],
  ["partitionRefreshInterval", { partitionRefreshInterval: 0 }, RangeError],
  ["start", { start: -1n }, RangeError],
  ["start", { start: new Date(Number.NaN) }, TypeError],
  ["fromBeginning", { start: { fromBeginning: -1 } }, RangeError],
  ["fromEnd", { start: { fromEnd: "3" } }, TypeError],
  ["resetPolcy", { resetPolcy: "none" }, TypeError],
  ["stratgey", { stratgey: "manual" }, TypeError],
  ["source", { source: {} }, TypeError],
  ["store", { store: {} }, TypeError],
  ["store", { store: null }, TypeError],
  ["signal", { signal: {} }, TypeError],
  ["untilEnd", { untilEnd: "no" }, TypeError],
  ["renewInterval", { renewInterval: 60_000, ttl: 60_000 }, RangeError],
  ["start", { start: {} }, TypeError],
  ["start", { start: null }, TypeError],
  ["start", { start: 5 }, TypeError],
  ["start", { start: { fromBeginning: 1, fromEnd: 1 } }, TypeError],
  ["fromStart", { start: { fromStart: 3 } }, TypeError],
  ["oldest", { start: "oldest" }, TypeError],
  ["newest", { resetPolicy: "newest" }, TypeError],
  ["timestamp", { resetPolicy: { name: "mine" } }, TypeError],
])("a wrong %s (%o) is refused before anything is asked (contract 5.18, 6.2)", async (named, part, kind) => {
  const calls: string[] = [];
  const source = watched(await ordersLog(1), calls);
  const store: OffsetStore = watched(createMemoryStore(), calls);
  const asked = { source, store, topic: "orders", consumer: "c1", ...part } as unknown as ConsumerOptions;
  const error: unknown = await createConsumer(asked).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(kind);
  expect((error as Error).message).toContain(named);
  expect(calls).toEqual([]);
});
