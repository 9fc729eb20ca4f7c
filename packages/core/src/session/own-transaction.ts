import { withinDeadline } from "../driver/deadline.ts";
import { Sent } from "../driver/sent.ts";
import { ConsumerStateError } from "../errors/consumer-state-error.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import { formatKey, type OffsetKey } from "../key.ts";
import type { CallOptions, OffsetStore, TransactEntry, TransactionBody } from "../offset-store.ts";
import type { HeldPartition } from "./held-partition.ts";
import type { RecordPosition } from "./offset-session.ts";
import type { PositionFlusher } from "./position-flusher.ts";

/** After so long a caller's transaction whose end was not reported is taken to be over. */
export const TRANSACTION_MS = 60_000;

/** Which records a transaction is of. */
export interface TransactedRecords {
  /** The offset of the first. */
  readonly from: bigint;
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
  { from, nextOffset }: TransactedRecords,
  body: TransactionBody<Transaction>,
  options: CallOptions,
): Promise<void> {
  if (store.transact === undefined) throw withoutOwnTransactions(store.name, held.key);
  const { era } = held;
  // A caller's whose end was not reported.
  held.inTransactionUntil = 0;
  if (held.isMoving) await flusher.flush();
  // The transaction writes only over what is there.
  if (held.mayHaveExpired) await flusher.renew(held);
  if (held.isUncertain) await readAgain(store, held, options);
  const { position = 0n } = held;
  if (position >= nextOffset) return;
  refuseFormer(flusher, held, era, from);
  if (position > from) throw notNext(held.key, from);
  held.isInOwnTransaction = true;
  try {
    await flusher.idle();
    refuseFormer(flusher, held, era, from);
    const sent = new Sent();
    const write = held.writeWithin(nextOffset);
    held.isUncertain = true;
    const answer = await store.transact({ ...(write.entry as Omit<TransactEntry, "from">), from }, body, options);
    held.isUncertain = false;
    // Lost or reset meanwhile: what is stored is of before.
    if (held.era === era) held.passedWithin(nextOffset);
    held.written(write, answer, sent);
  } finally {
    held.isInOwnTransaction = false;
  }
}

/** What the session knows already needs no body to be run: its results would be another's by now. */
function refuseFormer(flusher: PositionFlusher, held: HeldPartition, era: object, from: bigint): void {
  if (flusher.fenced !== undefined) throw flusher.fenced;
  if (held.isOver || held.era !== era) throw notHeld(held.key, from);
}

/** The unknown outcome of an earlier transaction, which the record shows. */
async function readAgain<Transaction>(
  store: OffsetStore<Transaction>,
  held: HeldPartition,
  options: CallOptions,
): Promise<void> {
  const [outcome] = await store.fetch([held.key], options);
  if (outcome?.status === "failed") throw outcome.error;
  held.isUncertain = false;
  const stored = outcome?.status === "found" && outcome.record.epoch === held.epoch && outcome.record.nextOffset;
  // Where the claim is lost the transaction fails with that.
  if (typeof stored !== "bigint" || stored <= (held.position ?? 0n)) return;
  held.passedWithin(stored);
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
    `record ${offset} of ${formatKey(key)} is not the next one: a transaction must begin with the lowest record that was handed out and is ` +
    "not done; no transaction was begun";
  return new ConsumerStateError(message, { code: "NOT_NEXT" });
}

/** The first and the last of the records of a transaction. */
export function endsOf(done: RecordPosition | readonly RecordPosition[]): {
  first: RecordPosition;
  last: RecordPosition;
} {
  if (!Array.isArray(done)) return { first: done as RecordPosition, last: done as RecordPosition };
  const records = done as readonly RecordPosition[];
  const [first] = records;
  const last = records.at(-1);
  if (first === undefined || last === undefined) throw new TypeError("a transaction needs one record or more");
  for (const [index, { partition, offset }] of records.entries()) {
    const former = records[index - 1];
    if (former === undefined || (partition === former.partition && offset > former.offset)) continue;
    throw new RangeError("the records of a transaction must be of one partition and in the order of their offsets");
  }
  return { first, last };
}

/** One transaction of a partition at a time. */
export function refuseSecond({ key, transaction }: HeldPartition): void {
  if (transaction === undefined) return;
  const message = `a transaction of ${formatKey(key)} is open: await it before the next one begins`;
  throw new ConsumerStateError(message, { code: "NOT_NEXT" });
}

/**
 * What a write in a transaction rejects with if a partition of a group was lost in the meantime: the session continues. The store says
 * what became of the transaction.
 */
export function lostWithin(key: OffsetKey, cause: OffsetStoreError): ConsumerStateError {
  const message = `${formatKey(key)} was lost while the transaction was open: ${cause.message}; continue with the next record`;
  return new ConsumerStateError(message, { code: "NOT_HELD", cause });
}

/** Waits for the transactions of the store's own that are under way, but not forever: one that comes late is refused. */
export async function transactionsOver(partitions: readonly HeldPartition[]): Promise<void> {
  const open = partitions.flatMap(({ transaction }) => transaction ?? []);
  if (open.length === 0) return;
  await withinDeadline(TRANSACTION_MS, undefined, () => Promise.all(open)).catch(() => undefined);
  for (const partition of partitions) partition.isInOwnTransaction = false;
}
