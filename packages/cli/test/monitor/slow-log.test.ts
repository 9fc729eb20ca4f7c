import type { LogSource } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
import { expect, test } from "vitest";
import { startMonitor } from "../../src/monitor/monitor.ts";

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
