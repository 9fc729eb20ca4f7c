import { type OffsetKey, type OffsetStore, OffsetStoreError } from "@tidemark/core";
import { launchOrSkip, type ServerName } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";

const token = "t";
const owner = "o";

const kinds: readonly { readonly name: ServerName; readonly query: string }[] = [
  { name: "redis", query: "" },
  { name: "redis-cluster", query: "?cluster=true" },
  { name: "redis-sentinel", query: "?sentinel=mymaster" },
];

it.for(kinds)(
  "what was given up while the server was down never lands when it is back: $name",
  async ({ name, query }, { skip }) => {
    const server = await launchOrSkip(name, skip);
    onTestFinished(() => server.stop());
    // What is answered must be there after the kill; by default a busy disk may hold it back for a moment.
    for (const { role, url } of server.nodes) {
      if (role !== "sentinel") await ask(url, ["CONFIG", "SET", "appendfsync", "always"]);
    }
    const store = await openRedisStore({ url: `${server.url}${query}`, timeout: 5_000, onEvent: () => undefined });
    onTestFinished(() => store.close().catch(() => undefined));
    const keyOf = (consumer: string): OffsetKey => ({ consumer, topic: "t", partition: 0 });
    const kept = ["claimed", "committed", "reset", "deleted", "swept", "expired"].map((each) => keyOf(each));
    const fresh = ["claimed anew", "reset anew"].map((each) => keyOf(each));
    await store.claim(kept.map((key) => ({ key, token, owner })));
    await store.commit(kept.map((key) => ({ key, token, nextOffset: 5n })));
    const before = await store.fetch([...kept, ...fresh]);
    for (const { role, url } of server.nodes) {
      if (role === "master" && name === "redis-sentinel") await ask(url, ["WAIT", "1", "5000"]);
    }
    await server.kill();
    // The verbs that write: each given up once by the time-out, and once by the caller.
    const verbs: readonly ((signal?: AbortSignal) => Promise<unknown>)[] = [
      (signal) => store.claim([{ key: keyOf("claimed"), token: "late", owner: "late" }], { signal }),
      (signal) => store.claim([{ key: keyOf("claimed anew"), token: "late", owner: "late" }], { signal }),
      (signal) => store.commit([{ key: keyOf("committed"), token, nextOffset: 6n }], { signal }),
      (signal) => store.reset([{ key: keyOf("reset"), nextOffset: 1n }], { signal }),
      (signal) => store.reset([{ key: keyOf("reset anew"), nextOffset: 1n }], { signal }),
      (signal) => store.delete({ keys: [keyOf("deleted")] }, { signal }),
      (signal) => store.delete({ consumer: "swept" }, { signal }),
      (signal) => store.expire([{ key: keyOf("expired"), ttl: 1 }], { signal }),
    ];
    const reason = new Error("given up");
    const results = await Promise.allSettled([
      ...verbs.map((verb) => verb()),
      ...verbs.map((verb) => {
        const controller = new AbortController();
        setTimeout(() => controller.abort(reason), 100);
        return verb(controller.signal);
      }),
    ]);
    for (const [place, result] of results.entries()) {
      const error: unknown = result.status === "rejected" ? result.reason : undefined;
      // The connection may be refused before the caller gives up.
      if (place >= verbs.length && error === reason) continue;
      expect(error).toBeInstanceOf(OffsetStoreError);
      expect(["TIMEOUT", "UNAVAILABLE"]).toContain((error as OffsetStoreError).code);
    }
    await server.restart();
    const after = await recovered(() => store.fetch([...kept, ...fresh]));
    expect(after).toEqual(before);
    // What lay in a queue is behind us by now, and a second look on another connection sees the same.
    await using other = await openRedisStore({ url: `${server.url}${query}` });
    expect(await other.fetch([...kept, ...fresh])).toEqual(before);
    expect((await listed(other)).toSorted()).toEqual(kept.map(({ consumer }) => consumer).toSorted());
  },
);

async function ask(url: string, args: string[]): Promise<void> {
  const client = await createClient({ url }).connect();
  await client.sendCommand(args);
  client.destroy();
}

async function listed(store: OffsetStore<never>): Promise<string[]> {
  return (await Array.fromAsync(store.list())).map(({ consumer }) => consumer);
}

/** As soon as the store can be reached again. */
async function recovered<Outcome extends { readonly status: string }>(
  question: () => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  let answers: readonly Outcome[] = [];
  await expect
    .poll(
      async () => {
        answers = await question().catch(() => []);
        return answers.length > 0 && answers.every(({ status }) => status !== "failed");
      },
      { timeout: 30_000 },
    )
    .toBe(true);
  return answers;
}
