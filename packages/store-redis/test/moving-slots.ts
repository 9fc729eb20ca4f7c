import { launchOrSkip, type OwnServer } from "@tidemark/test-support/servers";
import { createClient, createCluster } from "redis";
import { onTestFinished, vi } from "vitest";

/** One master of a Cluster. */
export interface ClusterNode {
  readonly client: { sendCommand(args: string[]): Promise<unknown> };
  readonly url: URL;
  readonly id: string;
}

/** A slot on its way. */
export interface SlotMove {
  readonly from: ClusterNode;
  readonly to: ClusterNode;
}

/** Starts a Cluster of a test's own, with a client of each node and one of all. */
export async function launchCluster(skip: (note: string) => never) {
  const server = await launchOrSkip("redis-cluster", skip);
  onTestFinished(() => server.stop());
  const nodes = await nodesOf(server);
  const cluster = createCluster({ rootNodes: server.urls.map((url) => ({ url })) });
  cluster.on("error", () => undefined);
  await cluster.connect();
  onTestFinished(() => cluster.destroy());
  return { nodes, cluster };
}

async function nodesOf(server: OwnServer): Promise<ClusterNode[]> {
  return Promise.all(
    server.urls.map(async (url) => {
      const client = await createClient({ url }).connect();
      onTestFinished(() => client.destroy());
      return { client, url: new URL(url), id: await client.clusterMyId() };
    }),
  );
}

/** The slot of a key. */
export async function slotOf(nodes: readonly ClusterNode[], key: string): Promise<number> {
  return Number(await nodes[0]?.client.sendCommand(["CLUSTER", "KEYSLOT", key]));
}

/** Has a slot begin to move to the next node. Keys stay where they are, and what is new goes to the next one. */
export async function beginMove(nodes: readonly ClusterNode[], slot: number): Promise<SlotMove> {
  const owners = await Promise.all(nodes.map(async ({ client, id }) => hasSlot(await nodesLine(client, id), slot)));
  const from = nodes[owners.indexOf(true)];
  const to = nodes[(owners.indexOf(true) + 1) % nodes.length];
  if (from === undefined || to === undefined) throw new Error(`nobody has slot ${slot}`);
  await to.client.sendCommand(["CLUSTER", "SETSLOT", String(slot), "IMPORTING", from.id]);
  await from.client.sendCommand(["CLUSTER", "SETSLOT", String(slot), "MIGRATING", to.id]);
  return { from, to };
}

/** Moves one key. */
export async function moveKey({ from, to }: SlotMove, key: string): Promise<void> {
  await from.client.sendCommand(["MIGRATE", to.url.hostname, to.url.port, key, "0", "5000"]);
}

/**
 * Moves one slot to the next node, key by key, as `redis-cli --cluster reshard` does.
 *
 * @param meanwhile Is waited for after each key, with a part of the slot on either side.
 */
export async function moveSlot(
  nodes: readonly ClusterNode[],
  slot: number,
  meanwhile: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const move = await beginMove(nodes, slot);
  await meanwhile();
  await endMove(nodes, slot, move, meanwhile);
}

/** Moves what is left of a slot, and tells every node. */
export async function endMove(
  nodes: readonly ClusterNode[],
  slot: number,
  { from, to }: SlotMove,
  meanwhile: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const name = String(slot);
  for (;;) {
    const [key] = (await from.client.sendCommand(["CLUSTER", "GETKEYSINSLOT", name, "1"])) as string[];
    if (key === undefined) break;
    await moveKey({ from, to }, key);
    await meanwhile();
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

async function nodesLine(client: ClusterNode["client"], id: string): Promise<string> {
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
