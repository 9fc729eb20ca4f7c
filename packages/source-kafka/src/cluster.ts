import { setMaxListeners } from "node:events";
import type { API, Broker, metadataV12 } from "@platformatic/kafka";
import { backoffMs, delay } from "@tidemark/core/driver";
import { BrokerConnection, type ConnectionSettings, addressOf } from "./broker-connection.ts";
import { untilAborted } from "./cancellation.ts";
import { METADATA } from "./kafka-apis.ts";
import {
  BrokerConnectionError,
  BrokerRefusal,
  INVALID_TOPIC_EXCEPTION,
  isPassing,
  isUndone,
  LEADER_NOT_AVAILABLE,
  throwIfRefused,
  UNKNOWN_TOPIC_OR_PARTITION,
} from "./kafka-errors.ts";
import type { LogCall } from "./log-call.ts";
import { KnownLeaders, type KnownTopic } from "./known-leaders.ts";
import { closedLog, toLogError, unknownPartition, unknownTopic } from "./log-errors.ts";

const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 1_000;
const AGREEMENT_POLL_MS = 20;
/** Milliseconds that a broker has for its answer before the next one is asked, too. */
const NEXT_BROKER_MS = 1_000;

/** How a cluster is reached. */
export interface ClusterOptions extends ConnectionSettings {
  /** Where to begin. */
  readonly brokers: readonly Broker[];
  /** Milliseconds that a call continues trying while brokers do not answer. */
  readonly timeoutMs: number;
}

type MetadataResponse = metadataV12.MetadataResponse;
/** What the cluster says of a topic. */
export type TopicMetadata = metadataV12.MetadataResponseTopic;

/** Who leads a partition. */
export interface PartitionLeader {
  readonly broker: Broker;
  /** Counts the leaders of this partition: what is asked with it is refused where another one leads by now. */
  readonly epoch: number;
  /** Of the topic, and no other that has its name. Absent where the cluster gives none. */
  readonly topicId: string | undefined;
  /** The same as marks have it. */
  readonly markId: string | undefined;
}

/** Knows the brokers of a cluster and who leads which partition, and holds a connection to each for short calls. */
export class Cluster {
  readonly options: ClusterOptions;
  readonly #connections = new Map<string, Promise<BrokerConnection>>();
  readonly #leaders = new KnownLeaders((topic) => this.topic(topic));
  /** When brokers failed last, by address. */
  readonly #failures = new Map<string, number>();
  readonly #closing = new AbortController();
  #brokers: ReadonlyMap<number, Broker> = new Map();
  #controller: Broker | undefined;
  #asked = 0;

  constructor(options: ClusterOptions) {
    this.options = options;
    setMaxListeners(0, this.#closing.signal);
  }

  /** Aborted, with `CLOSED`, when the log is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Makes attempts until one is answered, with pauses that grow, as long as brokers are silent or refuse for the moment; for
   * at most the time-out from the first failure on. What may have been done already is not repeated unless `repeatable`.
   */
  async attempt<Result>(call: LogCall & { repeatable: boolean }, attempt: () => Promise<Result>): Promise<Result> {
    const { signal, topic, repeatable } = call;
    let failedSince: number | undefined;
    for (let attempts = 0; ; attempts += 1) {
      this.closing.throwIfAborted();
      signal?.throwIfAborted();
      try {
        return await untilAborted(attempt(), this.closing, signal);
      } catch (error) {
        this.closing.throwIfAborted();
        signal?.throwIfAborted();
        if (topic !== undefined) this.#leaders.doubt(topic);
        this.#controller = undefined;
        failedSince ??= performance.now();
        const timeIsUp = performance.now() - failedSince > this.options.timeoutMs;
        if (timeIsUp || !(repeatable ? isPassing(error) : isUndone(error))) throw toLogError(error, call);
      }
      await untilAborted(delay(backoffMs(attempts, RETRY_BASE_MS, RETRY_MAX_MS), this.closing), this.closing, signal);
    }
  }

  /** Speaks to the cluster for the first time. Rejects, without trying twice, if no broker answers. */
  async meet(): Promise<void> {
    try {
      await this.metadata([]);
    } catch (error) {
      throw toLogError(error, {});
    }
  }

  /**
   * The broker that leads a partition, as far as is known, not older than the age if one is given. Rejects if there is no such
   * topic or partition.
   */
  async leaderOf(topic: string, partition: number, longestAgeMs?: number): Promise<PartitionLeader> {
    const { topicId, markId, leaders } = await this.#leaders.find(topic, partition, longestAgeMs);
    const leader = leaders.get(partition);
    if (leader === undefined) throw unknownPartition(topic, partition, leaders.size);
    const broker = this.#brokers.get(leader.brokerId);
    if (broker === undefined) throw new BrokerRefusal(LEADER_NOT_AVAILABLE);
    return { broker, epoch: leader.epoch, topicId, markId };
  }

  /** Looks up who leads a topic's partitions. */
  async refresh(topic: string): Promise<KnownTopic> {
    return this.#leaders.refresh(topic);
  }

  /** What the cluster says of one topic now. Rejects if there is none. */
  async topic(name: string): Promise<TopicMetadata> {
    const { topics } = await this.metadata([name]);
    if (isMissing(topics[0]) && this.#brokers.size > 1) {
      // The broker that was asked may be cut off, and not know the topic.
      return knownTopic(name, (await this.metadata([name])).topics[0]);
    }
    return knownTopic(name, topics[0]);
  }

  /** Asks any broker that answers about topics, about all for `null`. One that is silent is not waited for alone. */
  async metadata(topics: string[] | null): Promise<MetadataResponse> {
    const failures: unknown[] = [];
    // Each resolves when its broker has answered, if only with a refusal.
    const asked: Promise<{ readonly answer: Promise<MetadataResponse> }>[] = [];
    const waits = new AbortController();
    try {
      for (const broker of this.#candidates()) {
        const answer = this.#metadataFrom(broker, topics);
        const onFailure = (error: unknown): { readonly answer: Promise<MetadataResponse> } => {
          if (!(error instanceof BrokerConnectionError)) return { answer };
          this.#failures.set(addressOf(broker), performance.now());
          failures.push(error);
          throw error;
        };
        asked.push(answer.then(() => ({ answer }), onFailure));
        const soon = Promise.any(asked).catch(() => undefined);
        const first = await Promise.race([soon, delay(NEXT_BROKER_MS, waits.signal)]);
        if (first !== undefined) return this.#note(await first.answer);
      }
    } finally {
      waits.abort();
    }
    const last = await Promise.any(asked).catch(() => {
      // Wrong credentials say more than a broker beside it that is down.
      throw failures.find((failure) => !isPassing(failure)) ?? failures[0];
    });
    return this.#note(await last.answer);
  }

  /** Sends a short request to a broker, on the connection that all short requests to it share. */
  async call<Question extends unknown[], Answer>(
    broker: Broker,
    versions: readonly API<Question, Answer>[],
    question: Question,
    timeoutMs = this.options.timeoutMs,
  ): Promise<Answer> {
    const connection = await this.#connection(broker);
    return connection.call(versions, question, timeoutMs);
  }

  /** Sends a request that any broker passes on to the controller. */
  async callController<Question extends unknown[], Answer>(
    versions: readonly API<Question, Answer>[],
    question: Question,
  ): Promise<Answer> {
    if (this.#controller === undefined) await this.metadata([]);
    return this.call(this.#controller ?? this.#someBroker(), versions, question);
  }

  /** Waits until every broker that answers says of a topic what is expected, so that the next request gets the same answer. */
  async untilAllSee(topic: string, call: LogCall, expected: (seen: TopicMetadata) => boolean): Promise<void> {
    await this.untilAllAgree(call, async (broker) => {
      const { topics } = await this.#metadataFrom(broker, [topic]);
      return topics[0] !== undefined && expected(topics[0]);
    });
    this.#leaders.doubt(topic);
  }

  /** Asks every broker again and again until it agrees, is not there, or the time is up. */
  async untilAllAgree(call: LogCall, agrees: (broker: Broker) => Promise<boolean>): Promise<void> {
    const { signal } = call;
    const endsAt = performance.now() + this.options.timeoutMs;
    await Promise.all(
      [...this.#brokers.values()].map(async (broker) => {
        try {
          while (performance.now() < endsAt && !(await untilAborted(agrees(broker), this.closing, signal))) {
            await untilAborted(delay(AGREEMENT_POLL_MS, this.closing), this.closing, signal);
          }
        } catch (error) {
          // A broker that is down learns it when it comes back.
          if (!(error instanceof BrokerConnectionError)) throw error;
        }
      }),
    );
  }

  /** Ends everything. */
  async close(): Promise<void> {
    if (this.closing.aborted) return;
    this.#closing.abort(closedLog());
    const connections = await Promise.allSettled(this.#connections.values());
    for (const result of connections) if (result.status === "fulfilled") result.value.close();
  }

  async #metadataFrom(broker: Broker, topics: string[] | null): Promise<MetadataResponse> {
    // A broker that is silent is not waited for as long as others may know.
    const { timeoutMs, connectTimeoutMs } = this.options;
    return await this.call(broker, METADATA, [topics, false], Math.min(timeoutMs, connectTimeoutMs));
  }

  /** Only what is used counts: a broker that was too late may know less. */
  #note(metadata: MetadataResponse): MetadataResponse {
    if (metadata.brokers.length > 0) {
      this.#brokers = new Map(metadata.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
      this.#controller = this.#brokers.get(metadata.controllerId);
    }
    return metadata;
  }

  /** All brokers that are known, each time with another one first, and those that failed last at the end. */
  #candidates(): Broker[] {
    const known = [...this.#brokers.values(), ...this.options.brokers];
    const byAddress = [...new Map(known.map((broker) => [addressOf(broker), broker]))];
    const failedAt = ([address]: readonly [string, Broker]): number => this.#failures.get(address) ?? 0;
    const first = this.#asked % byAddress.length;
    this.#asked += 1;
    const inTurn = [...byAddress.slice(first), ...byAddress.slice(0, first)];
    return inTurn.sort((a, b) => failedAt(a) - failedAt(b)).map(([, broker]) => broker);
  }

  #someBroker(): Broker {
    return this.#candidates()[0] as Broker;
  }

  async #connection(broker: Broker): Promise<BrokerConnection> {
    const address = addressOf(broker);
    const begun = this.#connections.get(address);
    const known = await begun;
    if (known?.usable === true) return known;
    this.closing.throwIfAborted();
    // Another call may have replaced it while this one looked: one that nobody knows would never be closed.
    if (this.#connections.get(address) !== begun) return this.#connection(broker);
    void known?.retire(this.closing);
    const connecting = BrokerConnection.open(broker, this.options, this.closing);
    this.#connections.set(address, connecting);
    connecting.catch(() => {
      if (this.#connections.get(address) === connecting) this.#connections.delete(address);
    });
    return connecting;
  }
}

function isMissing(topic: TopicMetadata | undefined): boolean {
  // A name that Kafka allows for no topic is that of none.
  return topic?.errorCode === UNKNOWN_TOPIC_OR_PARTITION || topic?.errorCode === INVALID_TOPIC_EXCEPTION;
}

/** The topic, if the cluster has it. */
function knownTopic(name: string, topic: TopicMetadata | undefined): TopicMetadata {
  if (topic === undefined || isMissing(topic)) throw unknownTopic(name);
  // While its leader is elected the rest is known.
  if (topic.errorCode !== LEADER_NOT_AVAILABLE) throwIfRefused(topic.errorCode);
  return topic;
}
