import { createConsumer, type LogSource, type OffsetStore } from "@tidemark/core";
import { type KafkaLog, openKafkaLog } from "@tidemark/source-kafka";
import { openRedisStore } from "@tidemark/store-redis";
import { startClock } from "./clock.ts";
import { kafkajsSide, platformaticSide, type ReadTopic } from "./kafka-clients.ts";
import { type Comparison, compareWithMany, type TimedSide } from "./paired.ts";
import { Tally, valueOf } from "./tally.ts";
import { withServer } from "./server.ts";

const RECORDS = 1_000_000;
const ROUNDS = 7;
// 16 KB, the batch of a producer that nobody tuned.
const BATCH_RECORDS = 150;

/** A million records of a real Kafka through the consumer with its positions in Redis, against what people have. */
export async function compareKafka(): Promise<Comparison[]> {
  return withServer("kafka", async (kafka) =>
    withServer("redis", async (redis) => {
      const broker = new URL(kafka.url).host;
      await using log = await openKafkaLog({ brokers: [broker] });
      await using store = await openRedisStore({ url: redis.url });
      const comparisons: Comparison[] = [];
      for (const partitions of [8, 1]) {
        const topic = `benchmark-${partitions}`;
        await fill(log, topic, partitions);
        const read: ReadTopic = { broker, topic, partitions, records: RECORDS };
        comparisons.push(
          ...(await compareWithMany(ROUNDS, committingSide(log, store, read), [
            consumerSide(log, read),
            bareSide(log, read),
            platformaticSide(read),
            kafkajsSide("eachBatch", read),
            kafkajsSide("eachMessage", read),
          ])),
        );
      }
      return comparisons;
    }),
  );
}

/** The subject: the consumer as it comes, which commits by itself. */
function committingSide(log: KafkaLog, store: OffsetStore, read: ReadTopic): TimedSide {
  const { topic, partitions } = read;
  let runs = 0;
  return {
    name: `Kafka, ${partitions === 1 ? "1 partition" : `${partitions} partitions`}, positions in Redis`,
    async run() {
      const consumer = `benchmark-${(runs += 1)}`;
      const reading = await readByConsumer(log, read, { store, consumer });
      const keys = Array.from({ length: partitions }, (_, partition) => ({ consumer, topic, partition }));
      let stored = 0n;
      for (const outcome of await store.fetch(keys)) {
        if (outcome.status === "found") stored += outcome.record.nextOffset ?? 0n;
      }
      if (stored !== BigInt(RECORDS)) throw new Error(`the stored positions come to ${stored}, not to ${RECORDS}`);
      return reading;
    },
  };
}

/** The same consumer, which keeps no position. */
function consumerSide(log: KafkaLog, read: ReadTopic): TimedSide {
  return { name: "the same consumer without tracking", run: () => readByConsumer(log, read, { strategy: "none" }) };
}

/** The log source alone: each partition's next batch is fetched while its last one is looked at. */
function bareSide(source: LogSource, { topic, partitions, records }: ReadTopic): TimedSide {
  return {
    name: "a bare loop of fetches",
    async run() {
      const tally = new Tally(records);
      const stop = startClock();
      const readPartition = async (partition: number): Promise<void> => {
        const end = BigInt(records / partitions);
        const fetch = (offset: bigint) =>
          source.fetch({ topic, partition, offset, maxBytes: 1024 * 1024, maxWait: 500 });
        for (let answer = fetch(0n); ;) {
          const { records: batch, nextOffset } = await answer;
          if (nextOffset < end) answer = fetch(nextOffset);
          for (const { value } of batch) tally.take(value);
          if (nextOffset >= end) return;
        }
      };
      await Promise.all(Array.from({ length: partitions }, (_, partition) => readPartition(partition)));
      const reading = stop(records);
      tally.check("the bare loop");
      return reading;
    },
  };
}

async function readByConsumer(
  source: LogSource,
  { topic, records }: ReadTopic,
  kept: { readonly store: OffsetStore; readonly consumer: string } | { readonly strategy: "none" },
) {
  const tally = new Tally(records);
  await using consumer = await createConsumer({ source, topic, start: "earliest", untilEnd: true, ...kept });
  const stop = startClock();
  for await (const { value } of consumer) tally.take(value);
  const reading = stop(records);
  tally.check(`the consumer (${consumer.strategy})`);
  return reading;
}

/** Makes the topic and writes the records, equally many into each partition. */
async function fill({ admin, producer }: KafkaLog, topic: string, partitions: number): Promise<void> {
  await admin.createTopic(topic, { partitions });
  const each = RECORDS / partitions;
  const fillPartition = async (partition: number): Promise<void> => {
    for (let made = 0; made < each;) {
      const count = Math.min(BATCH_RECORDS, each - made);
      const first = partition * each + made;
      const batch = Array.from({ length: count }, (_, index) => ({ value: valueOf(first + index) }));
      await producer.produce(topic, partition, batch);
      made += count;
    }
  };
  await Promise.all(Array.from({ length: partitions }, (_, partition) => fillPartition(partition)));
}
