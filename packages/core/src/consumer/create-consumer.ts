import type { OffsetRecord } from "../offset-record.ts";
import { requirePartitions } from "../require-partitions.ts";
import { StoreOffsetSession } from "../session/store-offset-session.ts";
import { sessionListener } from "../session/session-listener.ts";
import type { Consumer, ConsumerOptions, ManualConsumer } from "./consumer.ts";
import { resolveConsumerOptions } from "./consumer-options.ts";
import { LogConsumer } from "./log-consumer.ts";

/**
 * Creates a consumer: checks every option (policy modules included), claims the partitions, and resolves where to begin.
 *
 * Wrong options are a `TypeError` or `RangeError` before any I/O; an unknown topic or partition is a `LogSourceError`, a
 * store that cannot answer an `OffsetStoreError`, a start that does not exist an `OffsetOutOfRangeError`.
 */
export async function createConsumer<Transaction = never>(
  options: ConsumerOptions<Transaction> & { readonly strategy: "manual" },
): Promise<ManualConsumer<Transaction>>;
/** The same with another strategy: only with `manual` does a consumer know `acknowledge` and `commitWithin`. */
export async function createConsumer<Transaction = never>(
  options: ConsumerOptions<Transaction>,
): Promise<Consumer<Transaction>>;
export async function createConsumer<Transaction>(
  options: ConsumerOptions<Transaction>,
): Promise<Consumer<Transaction>> {
  const resolved = await resolveConsumerOptions(options);
  const { source, store, signal, onEvent } = options;
  const { topic, consumer, strategy, session: sessionOptions } = resolved;
  signal?.throwIfAborted();
  const existing = await source.partitions(topic, { signal });
  const partitions = resolved.partitions ?? existing;
  requirePartitions(topic, existing, partitions);
  const logConsumer = new LogConsumer<Transaction>(
    source,
    resolved,
    sessionListener(onEvent, { consumer, topic }),
    signal,
  );
  // Later partitions are read from their beginning, whoever claims them first (contract 8.4).
  const firstCount = async (): Promise<number | undefined> => {
    if (store === undefined || consumer === undefined) return undefined;
    const group = { consumer, topic, partitions: existing.length, ttl: sessionOptions.ttl };
    return (await store.group(group, { signal })).partitions;
  };
  try {
    let stored: ReadonlyMap<number, OffsetRecord> | undefined;
    if (store !== undefined && consumer !== undefined) {
      if (strategy === "none") {
        stored = await storedPositions(options, partitions);
      } else {
        const heard = logConsumer.heard.bind(logConsumer);
        const session = new StoreOffsetSession(store, { consumer, topic }, sessionOptions, heard, logConsumer);
        await logConsumer.join(session, partitions, resolved.partitions === undefined ? await firstCount() : undefined);
        if (resolved.partitions === undefined) logConsumer.refreshGroup(firstCount);
      }
    }
    if (!logConsumer.isSharing) await logConsumer.begin(partitions, resolved.start, stored);
  } catch (error) {
    const closed = logConsumer.close().catch(() => undefined);
    // Whoever aborts does not wait for a store that may never answer.
    if (signal?.aborted !== true) await closed;
    throw error;
  }
  if (resolved.partitions === undefined) logConsumer.refreshPartitions();
  return logConsumer;
}

async function storedPositions<Transaction>(
  { store, consumer = "", topic, signal }: ConsumerOptions<Transaction>,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, OffsetRecord>> {
  const positions = new Map<number, OffsetRecord>();
  const outcomes = await store?.fetch(
    partitions.map((partition) => ({ consumer, topic, partition })),
    { signal },
  );
  for (const outcome of outcomes ?? []) {
    if (outcome.status === "failed") throw outcome.error;
    if (outcome.status === "found") positions.set(outcome.record.partition, outcome.record);
  }
  return positions;
}
