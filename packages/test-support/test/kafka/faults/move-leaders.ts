import { alterPartitionReassignmentsV0, Admin, Connection } from "@platformatic/kafka";
import { vi } from "vitest";

const TIMEOUT_MS = 10_000;

/** Where the copies of a partition are. */
interface Placement {
  readonly leader: number;
  readonly replicas: readonly number[];
  /** Those that have everything. */
  readonly isr: readonly number[];
}

async function placementsOf(url: string, topic: string): Promise<Placement[]> {
  const admin = new Admin({ clientId: "tidemark-test", bootstrapBrokers: [new URL(url).host] });
  try {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true });
    return [...(topics.get(topic)?.partitions ?? [])];
  } finally {
    await admin.close();
  }
}

/** The leader of each partition of a topic, as a broker tells it now. */
export async function leadersOf(url: string, topic: string): Promise<number[]> {
  return (await placementsOf(url, topic)).map(({ leader }) => leader);
}

/**
 * Resolves when every copy of a topic has everything, as all brokers tell. Whoever kills a broker waits for it first: one
 * that came back a moment ago cannot follow the only broker that has everything, and the partition would have no leader.
 */
export async function untilInSync(urls: readonly string[], topic: string): Promise<void> {
  await vi.waitUntil(
    async () => {
      const seen = await Promise.all(urls.map((url) => placementsOf(url, topic)));
      const placements = seen.flat();
      return placements.length > 0 && placements.every(({ replicas, isr }) => isr.length === replicas.length);
    },
    { timeout: 60_000, interval: 100 },
  );
}

/**
 * Gives every partition of a topic to the broker after the one that leads it, with one more as a replica: the former leader
 * loses its copy (AlterPartitionReassignments). Resolves when all brokers that were asked for know the new leaders.
 */
export async function moveLeaders(urls: readonly string[], topic: string): Promise<void> {
  const [url = ""] = urls;
  const before = await leadersOf(url, topic);
  const after = (broker: number): number => (broker % urls.length) + 1;
  const partitions = before.map((leader, partitionIndex) => ({
    partitionIndex,
    replicas: [after(leader), after(after(leader))],
  }));
  const { hostname, port } = new URL(url);
  const connection = new Connection("tidemark-test");
  await connection.connect(hostname, Number(port));
  try {
    await alterPartitionReassignmentsV0.api.async(connection, TIMEOUT_MS, true, [{ name: topic, partitions }]);
  } finally {
    await connection.close();
  }
  await vi.waitUntil(
    async () => {
      const seen = await Promise.all(urls.map((each) => leadersOf(each, topic)));
      return seen.every((leaders) =>
        leaders.every((leader, partition) => leader === partitions[partition]?.replicas[0]),
      );
    },
    { timeout: 60_000, interval: 100 },
  );
}
