import type { OffsetStore } from "@tidemark/core";
import { launchOrSkip, type ServerNode } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openRedisStore, type RedisStoreClient } from "../src/index.ts";
import { type ClusterNode, launchCluster, moveSlot } from "./moving-slots.ts";
import { untilReplicated } from "./until-replicated.ts";

const RECORDS = 4_000;
/** After so many records the server is another one. */
const SEEN = 50;
const topic = "orders";

/** Of one consumer. */
async function fill(store: OffsetStore, consumer: string): Promise<void> {
  const keys = Array.from({ length: RECORDS }, (_, partition) => ({ consumer, topic, partition }));
  await store.claim(keys.map((key) => ({ key, token: "t", owner: "o" })));
}

/** Lists all of them, and has something happen in between. Gives how many times each was told. */
async function listAcross(store: OffsetStore, consumer: string, happens: () => Promise<void>): Promise<number[]> {
  const times = Array.from({ length: RECORDS }, () => 0);
  let told = 0;
  for await (const { partition } of store.list({ consumer, topic })) {
    times[partition] = (times[partition] ?? 0) + 1;
    told += 1;
    if (told === SEEN) await happens();
  }
  return times;
}

const ONCE_EACH = Array.from({ length: RECORDS }, () => 1);

describe("a listing of a large group", () => {
  it("tells each record once although the server restarts in between", async ({ skip }) => {
    const server = await launchOrSkip("redis", skip);
    onTestFinished(() => server.stop());
    const client = await createClient({ url: server.url })
      .on("error", () => undefined)
      .connect();
    onTestFinished(() => client.destroy());
    await using store = await openRedisStore({ client });
    await fill(store, "lister");
    const times = await listAcross(store, "lister", async () => {
      await server.restart();
      await client.ping();
    });
    expect(times).toEqual(ONCE_EACH);
  });

  it("tells each record once although a replica takes over in between", async ({ skip }) => {
    const server = await launchOrSkip("redis-sentinel", skip);
    onTestFinished(() => server.stop());
    const [master, replica] = (["master", "replica"] as const).map((role) => server.nodes.find((n) => n.role === role));
    await using store = await openRedisStore({ url: `${server.url}?sentinel=mymaster`, timeout: 30_000 });
    await fill(store, "lister");
    const times = await listAcross(store, "lister", async () => {
      await untilReplicated(master?.url ?? "");
      await master?.kill();
      // A Sentinel that promotes a replica closes all connections to it.
      const role = () => ask(replica, ["ROLE"]).catch(() => "");
      await vi.waitUntil(async () => String(await role()).startsWith("master"), { timeout: 90_000 });
      // The Sentinels, and the client, know it a moment later.
      const read = () => store.fetch([{ consumer: "lister", topic, partition: 0 }]).catch(() => []);
      await vi.waitUntil(async () => (await read()).length > 0, { timeout: 90_000 });
    });
    expect(times).toEqual(ONCE_EACH);
  });

  it("tells each record once although its slot moves in between", async ({ skip }) => {
    const { nodes, cluster } = await launchCluster(skip);
    await using store = await openRedisStore({ client: cluster });
    await fill(store, "lister");
    expect(await listAcross(store, "lister", () => moveAll(nodes))).toEqual(ONCE_EACH);
  });

  it("deletes each record although its slot moves in between", async ({ skip }) => {
    const { nodes, cluster } = await launchCluster(skip);
    await using direct = await openRedisStore({ client: cluster });
    await fill(direct, "doomed");
    let scripts = 0;
    const moving: RedisStoreClient = Object.create(cluster, {
      sendCommand: {
        value: async (...args: Parameters<typeof cluster.sendCommand>) => {
          const [name] = args[2];
          if (name === "EVALSHA" && (scripts += 1) === 4) await moveAll(nodes);
          return cluster.sendCommand(...args);
        },
      },
    });
    await using store = await openRedisStore({ client: moving, timeout: 60_000 });
    expect(await store.delete({ consumer: "doomed" })).toHaveLength(RECORDS);
    expect(scripts).toBeGreaterThan(4);
    expect(await Array.fromAsync(direct.list())).toEqual([]);
  });
});

/** Every slot that has anything in it, whichever those are. */
async function moveAll(nodes: readonly ClusterNode[]): Promise<void> {
  const slots = new Set<number>();
  for (const { client } of nodes) {
    for (const key of (await client.sendCommand(["KEYS", "tidemark:*"])) as string[]) {
      slots.add(Number(await client.sendCommand(["CLUSTER", "KEYSLOT", key])));
    }
  }
  for (const slot of slots) await moveSlot(nodes, slot);
}

async function ask(node: ServerNode | undefined, args: string[]): Promise<unknown> {
  const client = await createClient({ url: node?.url ?? "" })
    .on("error", () => undefined)
    .connect();
  try {
    return await client.sendCommand(args);
  } finally {
    client.destroy();
  }
}
