import type { OffsetStore } from "@tidemark/core";
import { launchOrSkip } from "@tidemark/test-support/servers";
import { createClient, createCluster } from "redis";
import { expect, it, onTestFinished, vi } from "vitest";
import { openRedisStore } from "../src/index.ts";
import { RedisKeys } from "../src/keys.ts";

const namespace = "moving {here}";
const topic = "orders {1}/é%";
const token = "t";
const owner = "o";

it("works on while slots move between the nodes of a Cluster", { timeout: 90_000 }, async ({ skip }) => {
  const server = await launchOrSkip("redis-cluster", skip);
  onTestFinished(() => server.stop());
  const cluster = createCluster({ rootNodes: server.urls.map((url) => ({ url })) });
  cluster.on("error", () => undefined);
  await cluster.connect();
  onTestFinished(() => cluster.destroy());
  const store = await openRedisStore({ client: cluster, namespace });
  onTestFinished(() => store.close());
  const nodes = await Promise.all(
    server.urls.map(async (url) => {
      const client = await createClient({ url }).connect();
      onTestFinished(() => client.destroy());
      return { client, url: new URL(url), id: await client.clusterMyId() };
    }),
  );
  const keys = Array.from({ length: 24 }, (_, each) => ({ consumer: `c{${each}}`, topic, partition: each }));
  await store.claim(keys.map((key) => ({ key, token, owner })));
  const names = new RedisKeys("", namespace);
  const slotOf = async (key: string): Promise<number> =>
    Number(await nodes[0]?.client.sendCommand(["CLUSTER", "KEYSLOT", key]));
  const slots = new Set<number>([await slotOf(names.index[0])]);
  // The two keys of the index lie in one slot, and a group's hash by all of its name.
  expect(await slotOf(names.index[1])).toBe(await slotOf(names.index[0]));
  for (const key of keys.slice(0, 12)) slots.add(await slotOf(names.group(key)));
  let position = 0n;
  const moving = new AbortController();
  const errors = new Set<string>();
  const work = (async () => {
    while (!moving.signal.aborted) {
      position += 1n;
      const outcomes = await store.commit(keys.map((key) => ({ key, token, nextOffset: position })));
      for (const outcome of outcomes) if (outcome.status !== "committed") errors.add(JSON.stringify(outcome));
      await store.claim([{ key: { consumer: `new ${position % 20n}`, topic, partition: 0 }, token, owner }]);
      const seen = new Set((await listed(store)).filter((each) => each.startsWith("c{")));
      if (seen.size !== keys.length) errors.add(`listed ${seen.size}`);
    }
  })();
  work.catch(() => undefined);
  for (const slot of slots) {
    const before = position;
    await move(nodes, slot);
    // Each move is met by work, however slow that is.
    await Promise.race([vi.waitUntil(() => position > before, { timeout: 30_000 }), work]);
  }
  moving.abort();
  await work;
  expect([...errors]).toEqual([]);
  for (const outcome of await store.fetch(keys)) {
    expect(outcome).toMatchObject({ status: "found", record: { nextOffset: position } });
  }
});

interface Node {
  readonly client: { sendCommand(args: string[]): Promise<unknown> };
  readonly url: URL;
  readonly id: string;
}

/** Moves one slot to the next node, key by key, as `redis-cli --cluster reshard` does. */
async function move(nodes: readonly Node[], slot: number): Promise<void> {
  const name = String(slot);
  const owners = await Promise.all(nodes.map(async ({ client, id }) => hasSlot(await nodesLine(client, id), slot)));
  const from = nodes[owners.indexOf(true)];
  const to = nodes[(owners.indexOf(true) + 1) % nodes.length];
  if (from === undefined || to === undefined) throw new Error(`nobody has slot ${slot}`);
  await to.client.sendCommand(["CLUSTER", "SETSLOT", name, "IMPORTING", from.id]);
  await from.client.sendCommand(["CLUSTER", "SETSLOT", name, "MIGRATING", to.id]);
  for (;;) {
    const [key] = (await from.client.sendCommand(["CLUSTER", "GETKEYSINSLOT", name, "1"])) as string[];
    if (key === undefined) break;
    await from.client.sendCommand(["MIGRATE", to.url.hostname, to.url.port, key, "0", "5000"]);
    // A moment with a part of the slot on either side.
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const { client } of [to, from, ...nodes]) await client.sendCommand(["CLUSTER", "SETSLOT", name, "NODE", to.id]);
  // As an operator does. Where nobody waited, a record was told to be absent once, and why was not found: nodes that still
  // disagreed, it is believed, not a fault of the store.
  await vi.waitUntil(
    async () => {
      const views = await Promise.all(nodes.map(async ({ client }) => nodesLine(client, to.id)));
      return views.every((line) => hasSlot(line, slot)) && new Set(views.map(epochOf)).size === 1;
    },
    { timeout: 30_000 },
  );
}

async function nodesLine(client: Node["client"], id: string): Promise<string> {
  const lines = String(await client.sendCommand(["CLUSTER", "NODES"])).split("\n");
  return lines.find((line) => line.startsWith(id)) ?? "";
}

function hasSlot(line: string, slot: number): boolean {
  return line
    .split(" ")
    .slice(8)
    .some((range) => {
      const [first = "", last = first] = range.split("-");
      return Number(first) <= slot && slot <= Number(last);
    });
}

/** How new a node's claim on its slots is, as another one knows it. */
function epochOf(line: string): string | undefined {
  return line.split(" ")[6];
}

async function listed(store: OffsetStore<never>): Promise<string[]> {
  return (await Array.fromAsync(store.list({ topic }))).map(({ consumer }) => consumer);
}
