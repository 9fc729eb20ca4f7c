import { ProduceAcks } from "@platformatic/kafka";
import type { RecordInput } from "@tidemark/core";
import type { Cluster } from "./cluster.ts";
import { DELETE_RECORDS, PRODUCE } from "./kafka-apis.ts";
import { BrokerRefusal, OFFSET_OUT_OF_RANGE, throwIfRefused } from "./kafka-errors.ts";
import type { LogCall } from "./log-call.ts";
import type { LogReader } from "./log-reader.ts";

/** Writes records, and removes old ones. */
export class LogWriter {
  readonly #cluster: Cluster;
  readonly #reader: LogReader;

  constructor(cluster: Cluster, reader: LogReader) {
    this.#cluster = cluster;
    this.#reader = reader;
  }

  /** Appends records as one batch, acknowledged by all replicas in sync. */
  async produce(topic: string, partition: number, records: readonly RecordInput[], call: LogCall): Promise<bigint> {
    if (records.length === 0) {
      const [end] = await this.#reader.listOffsets(topic, [{ partition, timestamp: -1 }], call);
      return end?.offset ?? 0n;
    }
    // Copied at once: the caller may go on with his buffers while a leader is looked for.
    const messages = records.map(({ key, value, headers = [], timestampMs = Date.now() }) => ({
      topic,
      partition,
      timestamp: BigInt(timestampMs),
      ...(key !== undefined && key !== null && { key: Buffer.from(key) }),
      // The client's type knows no null, its encoding does.
      value: (value === null ? null : Buffer.from(value)) as Buffer,
      // Of buffers as keys none is the same as another, so that names may repeat.
      headers: new Map(headers.map((header) => [Buffer.from(header.name), Buffer.from(header.value)])),
    }));
    const { timeoutMs } = this.#cluster.options;
    return this.#cluster.attempt({ ...call, repeatable: false }, async () => {
      const leader = await this.#cluster.leaderOf(topic, partition);
      const produced = await this.#cluster.call(leader, PRODUCE, [ProduceAcks.ALL, timeoutMs, messages]);
      const [answer] = typeof produced === "boolean" ? [] : (produced.responses[0]?.partitionResponses ?? []);
      if (answer === undefined) throw new BrokerRefusal(-1, "the broker's answer left out the partition");
      throwIfRefused(answer.errorCode, answer.errorMessage);
      return answer.baseOffset;
    });
  }

  /** Removes the records before an offset. */
  async deleteRecords(topic: string, partition: number, beforeOffset: bigint, call: LogCall): Promise<bigint> {
    const { timeoutMs } = this.#cluster.options;
    return this.#cluster.attempt({ ...call, repeatable: true }, async () => {
      const leader = await this.#cluster.leaderOf(topic, partition);
      const partitions = [{ partitionIndex: partition, offset: beforeOffset }];
      const { topics } = await this.#cluster.call(leader, DELETE_RECORDS, [[{ name: topic, partitions }], timeoutMs]);
      const [answer] = topics[0]?.partitions ?? [];
      if (answer === undefined) throw new BrokerRefusal(-1, "the broker's answer left out the partition");
      if (answer.errorCode === OFFSET_OUT_OF_RANGE) {
        throw await this.#reader.outOfRange(topic, partition, beforeOffset, call.signal);
      }
      throwIfRefused(answer.errorCode);
      return answer.lowWatermark;
    });
  }
}
