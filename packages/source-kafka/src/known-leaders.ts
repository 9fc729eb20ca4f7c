import type { TopicMetadata } from "./cluster.ts";
import { markIdOf } from "./kafka-marks.ts";

/** The id of topics where the cluster gives them none, and the epoch of leaders where it counts none. */
const NO_TOPIC_ID = "00000000-0000-0000-0000-000000000000";
const NO_EPOCH = -1;
/** What was learnt so long ago is asked for again, beside the calls that use it. */
const LONGEST_AGE_MS = 15_000;

/** Who leads a partition. */
export interface KnownLeader {
  readonly brokerId: number;
  /** Counts the leaders of this partition: what is asked with it is refused where another one leads by now. */
  readonly epoch: number;
}

/** What is known of a topic. */
export interface KnownTopic {
  /** Absent where the cluster gives its topics none. */
  readonly topicId: string | undefined;
  /** The same as marks have it. */
  readonly markId: string | undefined;
  readonly leaders: ReadonlyMap<number, KnownLeader>;
  readonly heardAt: number;
}

/**
 * Remembers who leads which partition. A broker that is cut off from the others still reports what it knew, and continues
 * answering as the leader that it was: so all is asked for again from time to time, of one broker after the other, and of
 * two leaders the one with the higher epoch is believed.
 */
export class KnownLeaders {
  readonly #ask: (topic: string) => Promise<TopicMetadata>;
  readonly #topics = new Map<string, KnownTopic>();
  readonly #doubted = new Set<string>();
  readonly #refreshes = new Map<string, Promise<KnownTopic>>();

  constructor(ask: (topic: string) => Promise<TopicMetadata>) {
    this.#ask = ask;
  }

  /** What is known of a topic with this partition, not older than the age if one is given. */
  async find(topic: string, partition: number, longestAgeMs?: number): Promise<KnownTopic> {
    const known = this.#topics.get(topic);
    if (known?.leaders.has(partition) !== true || this.#doubted.has(topic)) return this.refresh(topic);
    const ageMs = performance.now() - known.heardAt;
    if (longestAgeMs !== undefined && ageMs > longestAgeMs) return this.refresh(topic);
    // What fails here fails again where a caller waits for it.
    if (ageMs > LONGEST_AGE_MS) this.refresh(topic).catch(() => undefined);
    return known;
  }

  /** Has a topic looked up before it is used again. */
  doubt(topic: string): void {
    this.#doubted.add(topic);
  }

  /** Looks a topic up. What fails at the same moment for many partitions is looked up once. */
  refresh(topic: string): Promise<KnownTopic> {
    let refresh = this.#refreshes.get(topic);
    if (refresh === undefined) {
      this.#doubted.delete(topic);
      refresh = this.#lookUp(topic).finally(() => this.#refreshes.delete(topic));
      refresh.catch(() => this.#doubted.add(topic));
      this.#refreshes.set(topic, refresh);
    }
    return refresh;
  }

  async #lookUp(topic: string): Promise<KnownTopic> {
    const { topicId: id, partitions } = await this.#ask(topic);
    const topicId = id === NO_TOPIC_ID ? undefined : id;
    const before = this.#topics.get(topic);
    const isSame = topicId !== undefined && before?.topicId === topicId;
    const leaders = new Map<number, KnownLeader>();
    for (const { partitionIndex, leaderId: brokerId, leaderEpoch: epoch } of partitions) {
      const known = isSame ? before.leaders.get(partitionIndex) : undefined;
      leaders.set(partitionIndex, known !== undefined && known.epoch > epoch ? known : { brokerId, epoch });
    }
    const markId = topicId && markIdOf(topicId);
    const found = { topicId, markId, leaders, heardAt: performance.now() };
    this.#topics.set(topic, found);
    return found;
  }
}

/** An epoch, if the cluster counts them. */
export function knownEpoch(epoch: number): number | undefined {
  return epoch === NO_EPOCH ? undefined : epoch;
}
