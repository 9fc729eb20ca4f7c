import { Consumer, MessagesStreamModes } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import { type Reading, startClock } from "./clock.ts";
import type { TimedSide } from "./paired.ts";
import { Tally } from "./tally.ts";

// All sides ask for as much of a partition in one fetch: what is Tidemark's default and that of kafkajs.
const PARTITION_BYTES = 1024 * 1024;
const COMMIT_INTERVAL_MS = 3_000;

/** What is to be read. */
export interface ReadTopic {
  /** `HOST:PORT` */
  readonly broker: string;
  readonly topic: string;
  readonly partitions: number;
  /** How many records it has, equally many in each partition. */
  readonly records: number;
}

/** The consumer of `@platformatic/kafka`, which commits nothing. Its clock runs from when it has joined its group. */
export function platformaticSide({ broker, topic, records }: ReadTopic): TimedSide {
  let runs = 0;
  return {
    name: "@platformatic/kafka's consumer without commits",
    async run() {
      const consumer = new Consumer({
        groupId: `platformatic-${topic}-${(runs += 1)}`,
        clientId: "benchmark",
        bootstrapBrokers: [broker],
        autocommit: false,
      });
      const tally = new Tally(records);
      try {
        const stream = await consumer.consume({
          topics: [topic],
          mode: MessagesStreamModes.EARLIEST,
          maxBytesPerPartition: PARTITION_BYTES,
        });
        const stop = startClock();
        const reading = await new Promise<Reading>((resolve, reject) => {
          stream.on("error", reject);
          stream.on("data", ({ value }) => {
            tally.take(value);
            if (tally.complete) resolve(stop(records));
          });
        });
        tally.check("@platformatic/kafka's consumer");
        await stream.close();
        return reading;
      } finally {
        await consumer.close(true);
      }
    },
  };
}

/** The consumer of kafkajs with its own commits every three seconds. Its clock runs from its first fetch. */
export function kafkajsSide(handler: "eachBatch" | "eachMessage", { broker, topic, records }: ReadTopic): TimedSide {
  let runs = 0;
  return {
    name: `kafkajs with auto-commit, ${handler}`,
    async run() {
      const kafka = new Kafka({ clientId: "benchmark", brokers: [broker], logLevel: logLevel.ERROR });
      const consumer = kafka.consumer({
        groupId: `kafkajs-${handler}-${topic}-${(runs += 1)}`,
        maxBytesPerPartition: PARTITION_BYTES,
      });
      const tally = new Tally(records);
      try {
        await consumer.connect();
        await consumer.subscribe({ topic, fromBeginning: true });
        const reading = await new Promise<Reading>((resolve, reject) => {
          let stop: ReturnType<typeof startClock> | undefined;
          consumer.on("consumer.fetch_start", () => {
            stop ??= startClock();
          });
          consumer.on("consumer.crash", ({ payload }) => reject(payload.error));
          const take = (value: Buffer | null): void => {
            tally.take(value);
            if (tally.complete && stop !== undefined) resolve(stop(records));
          };
          consumer
            .run({
              autoCommit: true,
              autoCommitInterval: COMMIT_INTERVAL_MS,
              ...(handler === "eachMessage"
                ? { eachMessage: async ({ message }) => take(message.value) }
                : {
                    eachBatch: async ({ batch }) => {
                      for (const { value } of batch.messages) take(value);
                    },
                  }),
            })
            .catch(reject);
        });
        tally.check("kafkajs");
        return reading;
      } finally {
        await consumer.disconnect();
      }
    },
  };
}
