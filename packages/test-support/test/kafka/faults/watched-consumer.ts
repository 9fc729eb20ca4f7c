import { setTimeout as pause } from "node:timers/promises";
import { type ConsumerEvent, createConsumer, LogSourceError, type LogSourceErrorCode } from "@tidemark/core";
import { type KafkaLogOptions, openKafkaLog } from "@tidemark/source-kafka";
import type { StoreBackend } from "@tidemark/test-support/stores";
import { inTime } from "./in-time.ts";
import { watchPositions } from "./watched-positions.ts";

const LOOK_EVERY_MS = 10;

/** How a consumer of a run is made. */
export interface WatchedConsumerOptions {
  readonly name: string;
  readonly backend: StoreBackend;
  readonly log: KafkaLogOptions;
  readonly topic: string;
  readonly partitions: number;
}

/** A consumer in one loop, of which everything is remembered. */
export interface WatchedConsumer {
  readonly name: string;
  readonly events: readonly ConsumerEvent[];
  /** By partition: the value that was delivered for each offset, in the order of delivery. */
  readonly delivered: readonly ReadonlyMap<bigint, string>[];
  /** The offset that was delivered last of each partition; -1n at first. */
  readonly last: readonly bigint[];
  /** The stored positions, as another client of the store sees them. */
  readonly positions: readonly bigint[];
  /** Resolves when so much of every partition was delivered. Rejects if the loop ends before. */
  untilDelivered(offsets: readonly bigint[]): Promise<void>;
  /** Resolves when a fetch fails with this code, from now on. Rejects if the loop ends before. */
  untilFetchFails(code: LogSourceErrorCode): Promise<void>;
  /** Closes everything. Rejects if the loop had ended by an error, or if a stored position was ever seen to go back. */
  close(): Promise<void>;
}

/** Begins to read, from the beginning, with a log and a store of its own; each offset must be above the one before. */
export async function startConsumer(options: WatchedConsumerOptions): Promise<WatchedConsumer> {
  const { name, backend, topic, partitions } = options;
  const log = await inTime(() => openKafkaLog(options.log));
  const store = await backend.open();
  const watchersStore = await backend.open();
  const events: ConsumerEvent[] = [];
  const consumer = await inTime(() =>
    createConsumer({
      source: log,
      store,
      consumer: name,
      topic,
      start: "earliest",
      resetPolicy: "none",
      flushInterval: 20,
      onEvent: (event) => void events.push(event),
    }),
  );
  const watched = watchPositions(watchersStore, name, topic, partitions);
  const delivered = Array.from({ length: partitions }, () => new Map<bigint, string>());
  const last = delivered.map(() => -1n);
  let ended = false;
  const reading = (async () => {
    try {
      for await (const { partition, offset, value } of consumer) {
        const before = last[partition] ?? -1n;
        if (offset <= before) throw new Error(`${name}: partition ${partition} gave ${offset} after ${before}`);
        last[partition] = offset;
        delivered[partition]?.set(offset, Buffer.from(value ?? []).toString());
      }
    } finally {
      ended = true;
    }
  })();
  reading.catch(() => undefined);
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) {
      if (ended) await reading.then(() => Promise.reject(new Error(`${name}: the loop ended`)));
      await pause(LOOK_EVERY_MS);
    }
  };
  return {
    name,
    events,
    delivered,
    last,
    positions: watched.positions,
    untilDelivered: (offsets) => until(() => offsets.every((offset, partition) => (last[partition] ?? -1n) >= offset)),
    untilFetchFails(code) {
      const from = events.length;
      const isIt = (event: ConsumerEvent): boolean =>
        event.type === "fetch-failed" && event.error instanceof LogSourceError && event.error.code === code;
      return until(() => events.slice(from).some(isIt));
    },
    async close() {
      await consumer.close();
      await watched.stop();
      await Promise.all([log.close(), store.close(), watchersStore.close()]);
      await reading;
    },
  };
}
