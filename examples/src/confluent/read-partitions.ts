import { promisify } from "node:util";
import confluent, { type LibrdKafkaError, type Message, type WatermarkOffsets } from "@confluentinc/kafka-javascript";
import type { OffsetSession } from "@tidemark/core";
import { type ResetPolicy, whereToRead } from "../kafka-clients/where-to-read.ts";

const { CODES, KafkaConsumer } = confluent;
// How soon an abort is noticed where no record comes.
const WAIT_MS = 500;
const LOOKUP_TIMEOUT_MS = 10_000;

export interface ReadPartitionsOptions {
  readonly brokers: string[];
  /** Its partitions are read, each from its position. */
  readonly session: OffsetSession<never>;
  readonly policy: ResetPolicy;
  readonly signal: AbortSignal;
}

/** The records of a session's partitions from their positions on, until the signal. Commit a record before you ask on. */
export async function* readPartitions(options: ReadPartitionsOptions): AsyncGenerator<Message> {
  const { brokers, session, policy, signal } = options;
  const { topic, partitions } = session;
  const consumer = new KafkaConsumer(
    {
      "bootstrap.servers": brokers.join(","),
      "client.id": session.consumer,
      // It has to have a name; partitions that are assigned by hand make no member of a group.
      "group.id": session.consumer,
      "enable.auto.commit": false,
      "enable.auto.offset.store": false,
    },
    // An offset that the log does not have is an error, instead of a silent jump.
    { "auto.offset.reset": "error" },
  );
  consumer.setDefaultConsumeTimeout(WAIT_MS);
  const connect = promisify<void>((done) => consumer.connect({}, (error: LibrdKafkaError | undefined) => done(error)));
  const disconnect = promisify<void>((done) => consumer.disconnect(() => done(null)));
  const range = promisify<number, WatermarkOffsets>((partition, done) =>
    consumer.queryWatermarkOffsets(topic, partition, LOOKUP_TIMEOUT_MS, done),
  );
  // One at a time: of several, the client forgets an error that follows records.
  const next = promisify<Message[]>((done) => consumer.consume(1, done));

  const assign = async () => {
    const offsets = await Promise.all(
      partitions.map(async (partition) => {
        const { lowOffset, highOffset } = await range(partition);
        const bounds = { earliest: BigInt(lowOffset), latest: BigInt(highOffset) };
        // The client's offsets are numbers: exact up to 2^53.
        return { topic, partition, offset: Number(whereToRead(session, partition, bounds, policy)) };
      }),
    );
    await session.flush({ signal });
    consumer.assign(offsets);
  };

  await connect();
  try {
    await assign();
    while (!signal.aborted) {
      try {
        yield* await next();
      } catch (error) {
        if ((error as LibrdKafkaError).code !== CODES.ERRORS.ERR__AUTO_OFFSET_RESET) throw error;
        await assign();
      }
    }
  } finally {
    await disconnect();
  }
}
