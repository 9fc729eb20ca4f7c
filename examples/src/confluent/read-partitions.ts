import { promisify } from "node:util";
import confluent, {
  type LibrdKafkaError,
  type Message,
  type TopicPartitionOffset,
} from "@confluentinc/kafka-javascript";
import type { ListOffsetsEntry, OffsetSession } from "@tidemark/core";
import { type Policies, settlePositions } from "../kafka-clients/where-to-read.ts";

const { CODES, KafkaConsumer } = confluent;
// How soon an abort is noticed where no record comes.
const WAIT_MS = 500;
const LOOKUP_TIMEOUT_MS = 10_000;

export interface ReadPartitionsOptions extends Policies {
  readonly brokers: string[];
  /** Its partitions are read, each from its position. */
  readonly session: OffsetSession<never>;
  readonly signal: AbortSignal;
}

/** The records of a session's partitions from their positions on, until the signal. Commit a record before you ask on. */
export async function* readPartitions(options: ReadPartitionsOptions): AsyncGenerator<Message> {
  const { brokers, session, start, resetPolicy, signal } = options;
  const { topic } = session;
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
  // What it takes as `offset` is a time. Kafka's -2 and -1, a log's beginning and end, are times to it.
  const lookUp = promisify<TopicPartitionOffset, TopicPartitionOffset[]>((asked, done) =>
    consumer.offsetsForTimes([asked], LOOKUP_TIMEOUT_MS, done),
  );
  // One at a time: of several, the client forgets an error that follows records.
  const next = promisify<Message[]>((done) => consumer.consume(1, done));

  const listOffsets = (entries: readonly ListOffsetsEntry[]) =>
    Promise.all(
      entries.map(async ({ partition, timestamp }) => {
        const [found] = await lookUp({ topic, partition, offset: timestamp });
        if (found?.error !== undefined) throw new Error(found.error.message, { cause: found.error });
        return found === undefined || found.offset < 0 ? { partition } : { partition, offset: BigInt(found.offset) };
      }),
    );
  const assign = async () => {
    const positions = await settlePositions(session, { listOffsets, start, resetPolicy, signal });
    // The client's offsets are numbers: exact up to 2^53.
    consumer.assign(positions.map(({ partition, nextOffset }) => ({ topic, partition, offset: Number(nextOffset) })));
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
  } catch (error) {
    // An abort while it settles where to read is an end, too.
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    await disconnect();
  }
}
