import type { OffsetKey } from "@tidemark/core";
import { openTcpProxy, type TcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer, launchOrSkip, type RunningServer } from "@tidemark/test-support/servers";
import { createClient, createSentinel } from "redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";
import { RedisKeys } from "../src/keys.ts";
import { WRITE } from "../src/scripts.ts";
import { beginMove, type ClusterNode, launchCluster, moveKey, slotOf } from "./moving-slots.ts";

const key = { consumer: "c", topic: "t", partition: 0 };
const claims = [{ key, token: "t", owner: "o" }];

describe("a write that waits for replicas", () => {
  it("has the node wait that has written, also while the slot moves", async ({ skip }) => {
    const { nodes, cluster } = await launchCluster(skip);
    const plain = await openRedisStore({ client: cluster });
    onTestFinished(() => plain.close());
    await plain.claim(claims);
    const keys = new RedisKeys("", "tidemark");
    const move = await beginMove(nodes, await slotOf(nodes, keys.index));
    await moveKey(move, keys.index);
    await moveKey(move, keys.hashOf(key).redisKey);
    // No node has a replica: none acknowledges, and what is asked is counted.
    const acknowledge = { replicas: 1, timeout: 20 };
    await using store = await openRedisStore({ client: cluster, acknowledge, onEvent: () => undefined });
    await expect(store.commit([{ key, token: "t", nextOffset: 1n }])).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: /the write was applied, but was not acknowledged.*0 replicas have it/u,
    });
    expect(await waits(move.from)).toBe(0);
    expect(await waits(move.to)).toBeGreaterThan(0);
  });
});

describe("a write that waits for the append-only file", () => {
  it("waits longer than `appendfsync everysec` takes, unless told otherwise", async ({ skip }) => {
    const server = await launchOrSkip("redis-newest", skip);
    onTestFinished(() => server.stop());
    const client = await createClient({ url: server.url }).connect();
    onTestFinished(() => client.destroy());
    await client.sendCommand(["CONFIG", "SET", "appendfsync", "always"]);
    const asked: string[][] = [];
    const listening: typeof client = Object.create(client, {
      sendCommand: {
        value: (...sent: Parameters<typeof client.sendCommand>) => {
          const args = sent[0].map(String);
          if (args[0] === "WAITAOF") asked.push(args);
          return client.sendCommand(...sent);
        },
      },
    });
    const acknowledge = { appendOnlyFile: true };
    await using store = await openRedisStore({ client: listening, acknowledge });
    await using hasty = await openRedisStore({ client: listening, acknowledge, timeout: 5_000 });
    asked.length = 0;
    await store.claim(claims);
    await hasty.claim(claims);
    expect(asked).toEqual([
      ["WAITAOF", "1", "0", "3000"],
      ["WAITAOF", "1", "0", "2500"],
    ]);
  });
});

await describeWithServer("redis", (server) => {
  it("is not taken for acknowledged because a write whose answer was lost is found there", async () => {
    const { store, proxy } = await withoutReplicas(server);
    const cut = proxy.cutAfterRequest({ match: isWrite });
    await expect(store.claim(claims)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      retryable: true,
      message: /the write was applied, but was not acknowledged/u,
    });
    await cut;
    // It was written each time, and each time waited for.
    expect(proxy.requests.filter(isWrite).length).toBeGreaterThan(1);
    expect(await store.fetch([key])).toMatchObject([{ record: { owner: "o" } }]);
  });

  it.each([
    ["a position", { nextOffset: 5n }],
    ["a renewal", {}],
    ["a release", { release: true }],
    ["a release with a position", { nextOffset: 5n, release: true }],
    ["a rewind", { nextOffset: 2n, rewind: true }],
    ["a rewind with a release", { nextOffset: 2n, rewind: true, release: true }],
  ])("is not taken for acknowledged because it is stored, in the same call or a later one: %s", async (_, more) => {
    const { store, plain, proxy } = await withoutReplicas(server);
    const [claimed] = await plain.claim(claims);
    const epoch = claimed?.status === "claimed" ? claimed.epoch : 0;
    await plain.commit([{ key, token: "t", nextOffset: 4n }]);
    for (let time = 0; time < 2; time += 1) {
      await expect(store.commit([{ key, token: "t", epoch, ...more }])).rejects.toMatchObject({
        code: "UNAVAILABLE",
        retryable: true,
        message: /the write was applied, but was not acknowledged/u,
      });
    }
    expect(proxy.requests.filter(({ name }) => name === "WAIT").length).toBeGreaterThan(3);
    // Where nothing is waited for, it is the commit that it was.
    const [outcome] = await plain.commit([{ key, token: "t", epoch, ...more }]);
    expect(outcome).toMatchObject({ status: "committed" });
  });

  it("is not taken for acknowledged because a group's record is stored by the call before", async () => {
    const { store } = await withoutReplicas(server);
    await expect(store.group({ consumer: "c", topic: "t", partitions: 3 })).rejects.toMatchObject({
      message: /the write was applied, but was not acknowledged/u,
    });
  });

  it("is not taken for acknowledged because what it removed is gone", async () => {
    const { store, plain } = await withoutReplicas(server);
    await plain.claim(claims);
    await expect(store.delete({ keys: [key] })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      retryable: false,
      message: /the write was applied, but was not acknowledged/u,
    });
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
  });

  it("does not wait for what was refused", async () => {
    const { store, plain, proxy } = await withoutReplicas(server);
    await plain.claim(claims);
    expect(await store.commit([{ key, token: "other", nextOffset: 1n }])).toMatchObject([{ status: "fenced" }]);
    expect(proxy.requests.filter(({ name }) => name === "WAIT")).toEqual([]);
  });
});

describe("a write behind Sentinel whose connection breaks", () => {
  it.for(["reset", "delete", "claim"] as const)("is sent once: %s", async (verb, { skip }) => {
    const server = await launchOrSkip("redis-sentinel", skip);
    onTestFinished(() => server.stop());
    const { hostname, port, host } = new URL(server.nodes.find(({ role }) => role === "master")?.url ?? "");
    const proxy = await openTcpProxy({ port: Number(port), protocol: "resp" });
    onTestFinished(() => proxy.close());
    const client = createSentinel({
      name: "mymaster",
      sentinelRootNodes: server.urls.map((url) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) })),
      nodeAddressMap: { [host]: { host: hostname, port: proxy.port } },
      nodeClientOptions: { socket: { reconnectStrategy: () => 25 } },
    });
    client.on("error", () => undefined);
    await client.connect();
    onTestFinished(() => client.destroy());
    await using store = await openRedisStore({ client, onEvent: () => undefined });
    await store.claim(claims);
    const verbs = {
      reset: () => store.reset([{ key, nextOffset: 6n }]),
      delete: () => store.delete({ keys: [key] }),
      claim: () => store.claim([{ key, token: "newer", owner: "o" }]),
    };
    proxy.takeRequests();
    const cut = proxy.cutAfterRequest({ match: isWrite });
    // It was carried out, and core finds that out by reading.
    await verbs[verb]();
    await cut;
    expect(proxy.requests.filter(isWrite)).toHaveLength(1);
  });
});

function isWrite({ name, target }: { readonly name: string; readonly target: string }): boolean {
  return name === "EVALSHA" && target === WRITE.sha;
}

/** A store that waits for replicas of which there are none, through a proxy, and one that does not. */
async function withoutReplicas(server: RunningServer) {
  const namespace = `acknowledge-${crypto.randomUUID()}`;
  const proxy: TcpProxy = await openTcpProxy({ port: Number(new URL(server.url).port), protocol: "resp" });
  onTestFinished(() => proxy.close());
  const client = createClient({
    url: `redis://127.0.0.1:${proxy.port}`,
    socket: { reconnectStrategy: () => 25 },
  });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(() => client.destroy());
  const plain = await openRedisStore({ url: server.url, namespace });
  onTestFinished(async () => {
    await plain.delete({ consumer: "c" });
    await plain.close();
  });
  // Known to the server: a write is one request.
  await plain.claim([{ key: { ...key, partition: 1 } satisfies OffsetKey, token: "t", owner: "o" }]);
  const acknowledge = { replicas: 1, timeout: 20 };
  const store = await openRedisStore({ client, namespace, acknowledge, onEvent: () => undefined });
  onTestFinished(() => store.close());
  return { proxy, plain, store };
}

async function waits({ client }: ClusterNode): Promise<number> {
  const stats = String(await client.sendCommand(["INFO", "commandstats"]));
  return Number(/cmdstat_wait:calls=(?<calls>\d+)/u.exec(stats)?.groups?.["calls"] ?? 0);
}
