import { requirePartitions } from "../require-partitions.ts";
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
  const { topic, consumer: name, partitions } = resolved;
  signal?.throwIfAborted();
  const existing = await source.partitions(topic, { signal });
  requirePartitions(topic, existing, partitions ?? existing);
  const emit = sessionListener(onEvent, { consumer: name, topic });
  const consumer = new LogConsumer(source, store, resolved, emit, signal);
  try {
    await consumer.begin(existing);
  } catch (error) {
    const closed = consumer.close().catch(() => undefined);
    // An abort does not wait for a store that may never answer.
    if (signal?.aborted !== true) await closed;
    throw error;
  }
  return consumer;
}
