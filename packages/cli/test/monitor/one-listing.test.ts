import { createMemoryStore } from "@tidemark/store-memory";
import type { OffsetStore } from "@tidemark/core";
import { expect, test, vi } from "vitest";
import { startMonitor } from "../../src/monitor/monitor.ts";
import { serveMonitor } from "../../src/monitor/monitor-server.ts";

const HOUR_MS = 3_600_000;

test("the store is listed once per interval, however many look and scrape", async () => {
  await using base = createMemoryStore();
  const store = counting(base);
  await using monitor = await startMonitor({
    store,
    openLog: () => Promise.reject(new Error("no log")),
    intervalMs: HOUR_MS,
    onStoreFailure: () => {},
  });
  await using server = await serveMonitor({ monitor, store: "memory:", host: "127.0.0.1", port: 0 });
  const paths = ["", "metrics", "data/consumers", "data/consumer?name=a"];
  await Promise.all(Array.from({ length: 40 }, (_, index) => fetch(server.url + paths[index % paths.length])));
  expect(store.list).toHaveBeenCalledTimes(1);
  expect(store.members).toHaveBeenCalledTimes(1);
});

test("a store that does not answer is told once, and its last answer stays", async () => {
  await using base = createMemoryStore();
  await base.reset([{ key: { consumer: "c", topic: "t", partition: 0 }, nextOffset: 7n }]);
  const store = counting(base);
  const failures: (string | undefined)[] = [];
  await using monitor = await startMonitor({
    store,
    openLog: () => Promise.reject(new Error("no log")),
    intervalMs: 10,
    onStoreFailure: (error) => failures.push(error?.message),
  });
  store.list.mockImplementation(() => {
    throw new Error("gone");
  });
  await vi.waitFor(() => expect(store.list.mock.calls.length).toBeGreaterThan(4), 20_000);
  expect(failures).toEqual(["gone"]);
  expect(monitor.state()).toMatchObject({ failure: "gone", observation: { consumers: [{ name: "c" }] } });
  expect(monitor.state().observation.warnings).toEqual(["warning: no lag is shown: no log"]);
  store.list.mockImplementation((filter, options) => base.list(filter, options));
  await vi.waitFor(() => expect(failures).toEqual(["gone", undefined]), 20_000);
  expect(monitor.state().failure).toBeUndefined();
});

function counting(store: OffsetStore): OffsetStore & {
  readonly list: ReturnType<typeof vi.fn<OffsetStore["list"]>>;
  readonly members: ReturnType<typeof vi.fn<OffsetStore["members"]>>;
} {
  return Object.assign(Object.create(store) as OffsetStore, {
    list: vi.fn<OffsetStore["list"]>((filter, options) => store.list(filter, options)),
    members: vi.fn<OffsetStore["members"]>((filter, options) => store.members(filter, options)),
  });
}
