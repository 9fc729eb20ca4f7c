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

/** Makes a topic, the copies of each partition on these brokers, by number. Resolves when the first of them leads. */
export async function placeKafkaTopic(
  urls: readonly string[],
  topic: string,
  copies: readonly (readonly number[])[],
): Promise<void> {
  const admin = new Admin({ clientId: "tidemark-test", bootstrapBrokers: urls.map((url) => new URL(url).host) });
  const assignments = copies.map((brokers, partition) => ({ partition, brokers: [...brokers] }));
  await admin.createTopics({ topics: [topic], partitions: -1, replicas: -1, assignments });
  await admin.close();
  const leaders = copies.map(([leader]) => leader).join();
  await vi.waitUntil(
    async () =>
      (await Promise.all(urls.map((url) => kafkaLeadersOf(url, topic)))).every((seen) => seen.join() === leaders),
    { timeout: 60_000 },
  );
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
