import { alterPartitionReassignmentsV0, Connection } from "@platformatic/kafka";
import { kafkaLeadersOf } from "@tidemark/test-support/servers";
import { vi } from "vitest";

const TIMEOUT_MS = 10_000;

/**
 * Gives every partition of a topic to the broker after the one that leads it, with one more as a replica: the former leader
 * loses its copy (AlterPartitionReassignments). Resolves when all brokers that were asked for know the new leaders.
 */
export async function moveLeaders(urls: readonly string[], topic: string): Promise<void> {
  const [url = ""] = urls;
  const before = await kafkaLeadersOf(url, topic);
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
      const seen = await Promise.all(urls.map((each) => kafkaLeadersOf(each, topic)));
      return seen.every((leaders) =>
        leaders.every((leader, partition) => leader === partitions[partition]?.replicas[0]),
      );
    },
    { timeout: 60_000, interval: 100 },
  );
}
