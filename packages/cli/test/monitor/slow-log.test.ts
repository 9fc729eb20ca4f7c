import type { LogSource, OffsetStore } from "@tidemark/core";
import { setTimeout as delay } from "node:timers/promises";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
import { expect, onTestFinished, test, vi } from "vitest";
import { partitionsWithoutLag, startMonitor, totalLag } from "../../src/monitor/monitor.ts";

test("a log that opens more slowly than a look waits for it is opened once, and closed with the monitor", async () => {
  const opened = Promise.withResolvers<LogSource>();
  let openings = 0;
  let closings = 0;
  const monitor = await startMonitor({
    store: createMemoryStore(),
    openLog: () => {
      openings += 1;
      return opened.promise;
    },
    intervalMs: 100,
    onStoreFailure: () => undefined,
  });
  const { listings, observation } = monitor.state();
  expect(observation.warnings).toEqual([expect.stringMatching(/no lag is shown/u)]);
  await expect.poll(() => monitor.state().listings, { timeout: 60_000 }).toBeGreaterThan(listings);
  const source = createMemorySource();
  const close = async (): Promise<void> => {
    closings += 1;
    await source.close();
  };
  opened.resolve({ ...source, close });
  await expect.poll(() => monitor.state().observation.warnings, { timeout: 60_000 }).toEqual([]);
  await monitor[Symbol.asyncDispose]();
  expect([openings, closings]).toEqual([1, 1]);
});

test("one that opens when the monitor has ended is closed, too", async () => {
  const opened = Promise.withResolvers<LogSource>();
  const closed = Promise.withResolvers<void>();
  const monitor = await startMonitor({
    store: createMemoryStore(),
    openLog: () => opened.promise,
    intervalMs: 60_000,
    onStoreFailure: () => undefined,
  });
  await monitor[Symbol.asyncDispose]();
  opened.resolve({ ...createMemorySource(), close: async () => closed.resolve() });
  await closed.promise;
});

test("a log that could not be opened is opened at the next look", async () => {
  let openings = 0;
  const monitor = await startMonitor({
    store: createMemoryStore(),
    openLog: async () => {
      openings += 1;
      if (openings < 3) throw new Error("no broker answers");
      return createMemorySource();
    },
    intervalMs: 100,
    onStoreFailure: () => undefined,
  });
  expect(monitor.state().observation.warnings).toEqual([expect.stringMatching(/no broker answers/u)]);
  await expect.poll(() => monitor.state().observation.warnings, { timeout: 60_000 }).toEqual([]);
  await monitor[Symbol.asyncDispose]();
  expect(openings).toBe(3);
});

const hangs = (): Promise<never> => new Promise(() => {});

function logWith(members: Partial<LogSource>): LogSource {
  return { ...createMemorySource(), close: async () => {}, ...members };
}

async function storeWith(topics: readonly string[], partitions = 1): Promise<OffsetStore> {
  const store = createMemoryStore();
  const numbers = Array.from({ length: partitions }, (_, partition) => partition);
  const keys = topics.flatMap((topic) => numbers.map((partition) => ({ consumer: "c", topic, partition })));
  await store.reset(keys.map((key) => ({ key, nextOffset: 2n })));
  return store;
}

test("a partition whose end the log does not say hides its own lag only, and is counted", async () => {
  const listOffsets: LogSource["listOffsets"] = async (_topic, entries) =>
    entries.some(({ partition }) => partition === 1)
      ? await hangs()
      : entries.map(({ partition }) => ({ partition, offset: 9n }));
  await using monitor = await startMonitor({
    store: await storeWith(["orders"], 3),
    openLog: async () => logWith({ partitions: async () => [0, 1, 2], listOffsets }),
    intervalMs: 60_000,
    onStoreFailure: () => undefined,
  });
  const { consumers, warnings } = monitor.state().observation;
  expect(warnings).toEqual([
    'warning: no lag is shown on topic "orders" (partition 1): the log did not answer within 5 s',
  ]);
  expect(consumers.map((consumer) => [totalLag(consumer), partitionsWithoutLag(consumer)])).toEqual([[14n, 1]]);
});

test("topics without leaders, however many, hide no others, and a late answer about a whole topic counts", async () => {
  const without = Array.from({ length: 40 }, (_, index) => `a${index}`);
  const listOffsets: LogSource["listOffsets"] = async (topic, entries) => {
    if (without.includes(topic) || (topic === "late" && entries.length === 1)) return await hangs();
    if (topic === "late") await delay(3_000);
    return entries.map(({ partition }) => ({ partition, offset: 9n }));
  };
  await using monitor = await startMonitor({
    store: await storeWith([...without, "healthy", "late"], 1),
    openLog: async () => logWith({ partitions: async (topic) => (topic === "late" ? [0, 1] : [0]), listOffsets }),
    intervalMs: 60_000,
    onStoreFailure: () => undefined,
  });
  const { consumers } = monitor.state().observation;
  const known = consumers.flatMap(({ positions }) => positions.filter(({ logEnd }) => logEnd !== undefined));
  expect(known.map(({ topic }) => topic)).toEqual(["healthy", "late"]);
});

test("a log that throws at once is said to fail, as one that rejects", async () => {
  const partitions = (): never => {
    throw new Error("not today");
  };
  await using monitor = await startMonitor({
    store: await storeWith(["t"]),
    openLog: async () => logWith({ partitions }),
    intervalMs: 60_000,
    onStoreFailure: () => undefined,
  });
  expect(monitor.state().observation.warnings).toEqual(['warning: no lag is shown on topic "t": not today']);
});

test("a log that is silent on many topics is not asked about the others: the store's numbers do not wait for it", async () => {
  const topics = Array.from({ length: 300 }, (_, index) => `t${index}`);
  const partitions = vi.fn<LogSource["partitions"]>(hangs);
  await using monitor = await startMonitor({
    store: await storeWith(topics),
    openLog: async () => logWith({ partitions }),
    intervalMs: 60_000,
    onStoreFailure: () => undefined,
  });
  expect(partitions.mock.calls.length).toBeLessThan(40);
  expect(monitor.state().observation.warnings).toEqual([
    'warning: no lag is shown on topics "t0", "t1", "t2", "t3", "t4" and 295 more: the log did not answer within 5 s',
  ]);
});

test("a look that waits for the log ends with the monitor", async () => {
  const asked = Promise.withResolvers<void>();
  const partitions = vi.fn<LogSource["partitions"]>(async () => [0]);
  const monitor = await startMonitor({
    store: await storeWith(["t"]),
    openLog: async () => logWith({ partitions }),
    intervalMs: 10,
    onStoreFailure: () => undefined,
  });
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  partitions.mockImplementation(() => {
    asked.resolve();
    return hangs();
  });
  await asked.promise;
  await monitor[Symbol.asyncDispose]();
});

test("the first look ends at its signal, and a log that opens later is closed", async () => {
  const opened = Promise.withResolvers<LogSource>();
  const closed = Promise.withResolvers<void>();
  const controller = new AbortController();
  const openLog = async (): Promise<LogSource> => {
    controller.abort(new Error("enough"));
    return await opened.promise;
  };
  const starting = startMonitor({
    store: await storeWith(["t"]),
    openLog,
    intervalMs: 60_000,
    signal: controller.signal,
    onStoreFailure: () => undefined,
  });
  await expect(starting).rejects.toThrow("enough");
  opened.resolve(logWith({ close: async () => closed.resolve() }));
  await closed.promise;
});
