import { ConsumerStateError } from "../errors/consumer-state-error.ts";
import type { CallOptions, OffsetStore } from "../offset-store.ts";
import type { HeldPartition } from "./held-partition.ts";
import type { RecordPosition } from "./offset-session.ts";
import { refuseSecond, TRANSACTION_MS } from "./own-transaction.ts";

/**
 * Writes a position in a caller's transaction, at once. Local state stays: until the caller says that the transaction is over, or
 * for a minute, writes leave the partition out. Rejects with the store's errors, a refusal among them.
 */
export async function writeInCallersTransaction<Transaction>(
  store: OffsetStore<Transaction>,
  held: HeldPartition,
  nextOffset: bigint,
  transaction: Transaction,
  options: CallOptions,
): Promise<void> {
  refuseSecond(held);
  // Inside a transaction positions only go forward, and one that is open may keep the store from writing elsewhere.
  if (held.isMoving) {
    const { partition, topic } = held.key;
    const message = `partition ${partition} of topic ${JSON.stringify(topic)} was reset, and the reset is not durable yet; roll back, and call flush() before the next transaction begins`;
    throw new ConsumerStateError(message, { code: "NOT_NEXT" });
  }
  const { entry } = held.writeWithin(nextOffset, held.mayHaveExpired);
  held.inTransactionUntil = performance.now() + TRANSACTION_MS;
  try {
    await store.commit([entry], { ...options, transaction });
  } catch (error) {
    held.inTransactionUntil = 0;
    throw error;
  }
}

/** The record was handed out before its partition was lost, or reset. */
export function rollBack(topic: string, { partition, offset }: RecordPosition): ConsumerStateError {
  const message = `partition ${partition} of topic ${JSON.stringify(topic)} was lost or reset after record ${offset} was handed out; roll back`;
  return new ConsumerStateError(message, { code: "NOT_HELD" });
}
