import { expect, it } from "vitest";
import type { OffsetKey } from "@tidemark/core";
import { collect, key, openHandle, openStore } from "./open-store.ts";

it("lets the event loop go on while another handle holds the lock, then writes", async () => {
  const { store, file } = await openStore();
  const other = openHandle(file);
  other.exec("BEGIN IMMEDIATE");
  let ended = false;
  const write = store.reset([{ key, nextOffset: 5n }]).finally(() => (ended = true));
  for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(ended).toBe(false);
  // Readers wait for nobody.
  expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
  other.exec("COMMIT");
  expect(await write).toEqual([{ status: "reset" }]);
});

it("ends with TIMEOUT when the lock is not given up, and does not write later", async () => {
  const { store, file } = await openStore({ timeout: 100 });
  const other = openHandle(file);
  other.exec("BEGIN IMMEDIATE");
  const error = { code: "TIMEOUT", retryable: true, message: expect.stringContaining('consumer "c1"') as string };
  await expect(store.reset([{ key, nextOffset: 5n }])).rejects.toMatchObject(error);
  other.exec("ROLLBACK");
  expect(await store.claim([{ key, token: "t", owner: "o" }])).toMatchObject([
    { status: "claimed", record: undefined },
  ]);
});

it("ends with the reason of a signal while it waits, and the next write has its turn", async () => {
  const { store, file } = await openStore();
  const other = openHandle(file);
  other.exec("BEGIN IMMEDIATE");
  const controller = new AbortController();
  const first = store.reset([{ key, nextOffset: 1n }], { signal: controller.signal });
  const second = store.reset([{ key: { ...key, partition: 1 }, nextOffset: 2n }]);
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(first).rejects.toBe(reason);
  other.exec("ROLLBACK");
  expect(await second).toEqual([{ status: "reset" }]);
  expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
});

it("waits for a lock at open, and says when that takes too long", async () => {
  const { store, file } = await openStore();
  await store.close();
  const other = openHandle(file);
  other.exec("DROP TABLE tidemark_offsets");
  other.exec("BEGIN IMMEDIATE");
  await expect(openStore({ file, timeout: 50 })).rejects.toMatchObject({ code: "TIMEOUT", operation: "open" });
  const opening = openStore({ file });
  other.exec("COMMIT");
  expect(await (await opening).store.fetch([key])).toEqual([{ status: "absent" }]);
});

it("lets timers fire between calls that follow one another without a pause", async () => {
  const { store } = await openStore();
  let fired = false;
  setTimeout(() => (fired = true), 20);
  const endsAt = performance.now() + 5_000;
  while (!fired && performance.now() < endsAt) await store.fetch([key]);
  expect(fired).toBe(true);
  fired = false;
  setTimeout(() => (fired = true), 20);
  while (!fired && performance.now() < endsAt) await store.reset([{ key, nextOffset: 1n }]);
  expect(fired).toBe(true);
});

it("lets timers fire while it lists", async () => {
  const { store } = await openStore({ synchronous: "normal" });
  await store.reset(Array.from({ length: 1_000 }, (_, partition) => ({ key: { ...key, partition }, nextOffset: 1n })));
  let fired = false;
  setTimeout(() => (fired = true), 1);
  const endsAt = performance.now() + 5_000;
  while (!fired && performance.now() < endsAt) await collect(store.list());
  expect(fired).toBe(true);
});

it("goes by the time at which it got the lock: what expired while it waited is gone (contract 3.5b)", async () => {
  const { store, file } = await openStore();
  // A position for each call below: those of one position may be answered in any order.
  const at = (partition: number): OffsetKey => ({ ...key, partition });
  const all = [at(0), at(1), at(2)];
  // Long enough for the three calls to find them there on a busy machine.
  await store.claim(all.map((one) => ({ key: one, token: "t", owner: "o", ttl: 2_000 })));
  await store.commit(all.map((one) => ({ key: one, token: "t", nextOffset: 5n, metadata: "old" })));
  const other = openHandle(file);
  other.exec("BEGIN IMMEDIATE");
  const commit = store.commit([{ key: at(0), token: "t", nextOffset: 6n }]);
  const expire = store.expire([{ key: at(1), ttl: null }]);
  const claim = store.claim([{ key: at(2), token: "t2", owner: "o" }]);
  // Readers do not wait: they say when all have expired.
  while ((await store.fetch(all)).some(({ status }) => status !== "absent")) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  other.exec("ROLLBACK");
  expect(await commit).toEqual([{ status: "fenced", reason: "absent" }]);
  expect(await expire).toEqual([{ status: "absent" }]);
  expect(await claim).toMatchObject([{ status: "claimed", record: undefined }]);
});
