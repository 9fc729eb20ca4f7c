import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Consumer, findErrorBy, type Message } from "@platformatic/kafka";
import type { ListOffsetsEntry, OffsetSession } from "@tidemark/core";
import { type Policies, settlePositions } from "../kafka-clients/where-to-read.ts";

export interface ReadPartitionsOptions extends Policies {
  readonly brokers: string[];
  /** Its partitions are read, each from its position. */
  readonly session: OffsetSession<never>;
  readonly signal: AbortSignal;
}

/** The records of a session's partitions from their positions on, until the signal. Commit a record before you ask on. */
export async function* readPartitions(options: ReadPartitionsOptions): AsyncGenerator<Message> {
  const { brokers, session, start, resetPolicy, signal } = options;
  const { topic, partitions } = session;
  const consumer = new Consumer({
    clientId: session.consumer,
    bootstrapBrokers: brokers,
    // The client reads as a member of a group only. This one has no other member, and gives it what the session holds.
    groupId: `${session.consumer}-${randomUUID()}`,
    partitionAssigner: (memberId) => [
      { memberId, assignments: new Map([[topic, { topic, partitions: [...partitions] }]]) },
    ],
    autocommit: false,
  });
  const listOffsets = (entries: readonly ListOffsetsEntry[]) =>
    Promise.all(
      entries.map(async ({ partition, timestamp }) => {
        const asked = { topics: [topic], partitions: { [topic]: [partition] }, timestamp: BigInt(timestamp) };
        const offset = (await consumer.listOffsets(asked)).get(topic)?.[partition] ?? -1n;
        return offset < 0n ? { partition } : { partition, offset };
      }),
    );
  try {
    while (!signal.aborted) {
      try {
        const positions = await settlePositions(session, { listOffsets, start, resetPolicy, signal });
        const offsets = positions.map(({ partition, nextOffset }) => ({ topic, partition, offset: nextOffset }));
        // `fail`: an offset that the log does not have ends the stream, instead of a silent jump.
        const stream = await consumer.consume({ topics: [topic], mode: "manual", offsets, fallbackMode: "fail" });
        const close = () => void stream.close();
        signal.addEventListener("abort", close, { once: true });
        if (signal.aborted) close();
        try {
          for await (const message of stream) {
            // What the client has read ahead is dropped: nothing of it is committed.
            if (signal.aborted) return;
            // To a group of one the client gives all of the topic's partitions, whatever the assigner says.
            if (partitions.includes(message.partition)) yield message;
          }
        } finally {
          signal.removeEventListener("abort", close);
        }
      } catch (error) {
        // Errors of the client only: what you throw between two records never comes here.
        if (signal.aborted) return;
        if (!(error instanceof Error)) throw error;
        if (findErrorBy(error, "apiId", "OFFSET_OUT_OF_RANGE") !== null) continue;
        if (findErrorBy(error, "canRetry", true) === null) throw error;
        console.warn(`kafka: ${error.message}; trying again`);
        await pause(1_000, undefined, { signal }).catch(() => undefined);
      }
    }
  } finally {
    await consumer.close(true);
  }
}
