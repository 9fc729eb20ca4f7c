import type { CommandStartedEvent } from "mongodb";
import { expect, it } from "vitest";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import { throughProxy } from "./mongo-harness.ts";
import { key, openClient, openStore } from "./open-store.ts";

await describeWithServer("mongo", ({ url }) => {
  /** A store, and what it sends while something is done. */
  async function watchedStore() {
    const client = openClient(url, { monitorCommands: true });
    const { store } = await openStore(url, { client, timeout: 60_000 });
    const commandsOf = async (work: () => Promise<unknown>): Promise<string[]> => {
      const names: string[] = [];
      const onStarted = ({ commandName }: CommandStartedEvent): void => void names.push(commandName);
      client.on("commandStarted", onStarted);
      await work();
      client.off("commandStarted", onStarted);
      return names;
    };
    return { store, commandsOf };
  }
  const keysOf = (count: number) => Array.from({ length: count }, (_, partition) => ({ ...key, partition }));

  it.each([1, 100, 1_000])("%d entries: one command a flush, and no more for more entries", async (count) => {
    const { store, commandsOf } = await watchedStore();
    const keys = keysOf(count);
    const each = (more: object) => keys.map((one) => ({ key: one, token: "t", owner: "o", ...more }));
    // Nothing is there that could tell the server's clock; and the claim's own time is read afterwards.
    expect(await commandsOf(() => store.claim(each({})))).toEqual(["find", "hello", "update", "find"]);
    expect(await commandsOf(() => store.commit(each({ nextOffset: 1n })))).toEqual(["update"]);
    expect(await commandsOf(() => store.commit(each({ nextOffset: 2n, ttl: 60_000 })))).toEqual(["update"]);
    // It carries along the time of the commit, which nobody has told.
    expect(await commandsOf(() => store.commit(each({})))).toEqual(["find", "update"]);
    expect(await commandsOf(() => store.commit(each({})))).toEqual(["update"]);
    expect(await commandsOf(() => store.claim(each({ token: "u" })))).toEqual(["find", "update", "find"]);
    expect(await commandsOf(() => store.fetch(keys))).toEqual(["find"]);
    expect(await commandsOf(() => store.commit(each({ nextOffset: 0n })))).toEqual(["find"]);
    expect(await commandsOf(() => store.expire(keys.map((one) => ({ key: one, ttl: null }))))).toEqual([
      "find",
      "update",
    ]);
    expect(await commandsOf(() => store.reset(keys.map((one) => ({ key: one, nextOffset: 1n }))))).toEqual([
      "find",
      "update",
      "find",
    ]);
    expect(await commandsOf(() => store.delete({ keys }))).toEqual(["find", "update", "delete"]);
  });

  it("claims 10,000 entries and flushes them in as many commands as one", async () => {
    const { store, commandsOf } = await watchedStore();
    const each = (more: object) => keysOf(10_000).map((one) => ({ key: one, token: "t", owner: "o", ...more }));
    expect(await commandsOf(() => store.claim(each({})))).toEqual(["find", "hello", "update", "find"]);
    expect(await commandsOf(() => store.commit(each({ nextOffset: 1n })))).toEqual(["update"]);
    expect(await commandsOf(() => store.commit(each({ nextOffset: 2n, ttl: 60_000 })))).toEqual(["update"]);
  });

  it("cuts a flush only where it is larger than what a server takes", async () => {
    const { store, commandsOf } = await watchedStore();
    const keys = keysOf(5_000);
    await store.claim(keys.map((one) => ({ key: one, token: "t", owner: "o" })));
    const flush = (metadata: string) => async () => {
      const outcomes = await store.commit(keys.map((one) => ({ key: one, token: "t", nextOffset: 1n, metadata })));
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["committed"]));
    };
    expect(await commandsOf(flush("x".repeat(2_000)))).toEqual(["update"]);
    expect(await commandsOf(flush("é".repeat(2_000)))).toEqual(["update", "update"]);
  });

  it("fails a call for which the pool has no connection in time with TIMEOUT", async () => {
    const { hostname, port } = new URL(url);
    await using proxy = await openTcpProxy({ host: hostname, port: Number(port) });
    const client = openClient(throughProxy(url, proxy.port), { maxPoolSize: 1, waitQueueTimeoutMS: 1_000 });
    const { store } = await openStore(url, { client, timeout: 3_000, onEvent: () => undefined });
    await store.fetch([key]);
    proxy.silence();
    const calls = await Promise.allSettled([store.fetch([key]), store.fetch([key])]);
    proxy.restore();
    for (const { status, ...call } of calls) {
      expect(status).toBe("rejected");
      expect(call).toMatchObject({
        reason: { code: "TIMEOUT", retryable: true },
      });
    }
  });

  it("lists in a command for each thousand records", async () => {
    const { store, commandsOf } = await watchedStore();
    await store.claim(keysOf(2_500).map((one) => ({ key: one, token: "t", owner: "o" })));
    const listing = async (): Promise<void> => {
      let count = 0;
      for await (const _ of store.list()) count += 1;
      expect(count).toBe(2_500);
    };
    expect(await commandsOf(listing)).toEqual(["find", "find", "find"]);
  });
});
