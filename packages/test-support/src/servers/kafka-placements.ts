import { Admin } from "@platformatic/kafka";
import { vi } from "vitest";

/** Where the copies of a partition are, by the numbers of brokers. */
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

/** The number of the broker that leads each partition of a topic, as the broker of a URL tells it now. */
export async function kafkaLeadersOf(url: string, topic: string): Promise<number[]> {
  return (await placementsOf(url, topic)).map(({ leader }) => leader);
}

/**
 * Resolves when every copy of a topic has everything, as all brokers tell. Whoever kills a broker waits for it first: one
 * that came back a moment ago cannot follow the only broker that has everything, and the partition would have no leader.
 */
export async function untilKafkaIsInSync(urls: readonly string[], topic: string): Promise<void> {
  await vi.waitUntil(
    async () => {
      const placements = (await Promise.all(urls.map((url) => placementsOf(url, topic)))).flat();
      return placements.length > 0 && placements.every(({ replicas, isr }) => isr.length === replicas.length);
    },
    { timeout: 60_000, interval: 100 },
  );
}
