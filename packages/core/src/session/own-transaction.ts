import { ConsumerStateError } from "../errors/consumer-state-error.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import { formatKey, type OffsetKey } from "../key.ts";
import type { CallOptions, OffsetStore, TransactEntry, TransactionBody } from "../offset-store.ts";
import type { HeldPartition } from "./held-partition.ts";
import type { PositionFlusher } from "./position-flusher.ts";

/** Which records a transaction is of. */
export interface TransactedRecords {
  /** The offset of the first. */
  readonly from: bigint;
  /** The offset of the last. */
  readonly to: bigint;
  /** The position after them. */
  readonly nextOffset: bigint;
}

/**
 * Runs a transaction of the store's own for one partition, and takes in what came of it. Rejects with the store's errors, a
 * refusal among them, and with what the body throws.
 */
export async function runOwnTransaction<Transaction>(
  store: OffsetStore<Transaction>,
  flusher: PositionFlusher,
  held: HeldPartition,
  { from, to, nextOffset }: TransactedRecords,
  body: TransactionBody<Transaction>,
  options: CallOptions,
): Promise<void> {
  if (store.transact === undefined) throw withoutOwnTransactions(store.name, held.key);
  const { era } = held;
  // A caller's that nobody told the end of.
  held.inTransactionUntil = 0;
  if (held.isMoving) await flusher.flush();
  // The transaction writes only over what is there.
  if (flusher.mayHaveExpired(held)) await flusher.renew(held);
  if (held.isUncertain) await readAgain(store, held, options);
  const { position = 0n } = held;
  if (position >= nextOffset) return;
  if (held.era !== era) throw notHeld(held.key, from);
  if (position > from) throw notNext(held.key, from);
  held.isInOwnTransaction = true;
  try {
    await flusher.idle();
    const sentAt = performance.now();
    const sentAtMs = Date.now();
    const write = held.writeWithin(nextOffset);
    const answer = await store.transact({ ...(write.entry as Omit<TransactEntry, "from">), from }, body, options);
    // Lost or reset meanwhile: what is stored is of before.
    if (held.era === era) held.passedWithin(to, nextOffset);
    held.written(write, answer, sentAt, sentAtMs);
  } catch (error) {
    held.isUncertain = true;
    throw error;
  } finally {
    held.isInOwnTransaction = false;
  }
}

/** What a transaction of before came to, which nobody could say: the record tells. */
async function readAgain<Transaction>(
  store: OffsetStore<Transaction>,
  held: HeldPartition,
  options: CallOptions,
): Promise<void> {
  const [outcome] = await store.fetch([held.key], options);
  if (outcome?.status === "failed") throw outcome.error;
  held.isUncertain = false;
  const stored = outcome?.status === "found" && outcome.record.epoch === held.epoch && outcome.record.nextOffset;
  // Where the claim is lost the transaction hears of it.
  if (typeof stored !== "bigint" || stored <= (held.position ?? 0n)) return;
  held.passedWithin(stored - 1n, stored);
}

/** The store cannot begin a transaction by itself. */
function withoutOwnTransactions(store: string, key: OffsetKey): OffsetStoreError {
  const message =
    `the ${store} store has no transactions of its own: write the results of ${formatKey(key)} with an idempotent statement, ` +
    "under a key made of topic, partition and offset, and commit after it; or keep results and positions in one database";
  return new OffsetStoreError(message, { code: "UNSUPPORTED", operation: "transact", store, keys: [key] });
}

/** The records were handed out before the partition was lost, or reset. */
export function notHeld(key: OffsetKey, offset: bigint): ConsumerStateError {
  const message = `${formatKey(key)} was lost or reset after record ${offset} was handed out; no transaction was begun`;
  return new ConsumerStateError(message, { code: "NOT_HELD" });
}

/** Other records come first, or it is done. */
export function notNext(key: OffsetKey, offset: bigint): ConsumerStateError {
  const message =
    `record ${offset} of ${formatKey(key)} is not next: a transaction begins with the lowest record that is handed out and ` +
    "not done; no transaction was begun";
  return new ConsumerStateError(message, { code: "NOT_NEXT" });
}
