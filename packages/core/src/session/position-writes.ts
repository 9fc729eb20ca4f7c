import { traced } from "../diagnostics/channels.ts";
import { Sent } from "../driver/sent.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { CommitOutcome, FencedOutcome } from "../offset-store.ts";
import type { HeldPartition, PartitionWrite } from "./held-partition.ts";
import type { SessionContext } from "./session-context.ts";
import { isFinal, unknownError } from "./session-listener.ts";

// What has expired under a renewal is written again at once; more often than this is no race any more.
const MAX_IMMEDIATE_ATTEMPTS = 4;

/** Is called with what became of a partition's write. */
export interface WriteListener {
  /** The store has taken it, or was ahead: what was committed since is still to be written. */
  settled(partition: HeldPartition): void;
  /** The claim has ended as it was asked to. */
  released(partition: HeldPartition): void;
  /** Nothing but the end of the claim was to be written, and that failed. */
  notReleased(partition: HeldPartition): void;
  /** The claim does not hold any more. */
  fenced(partition: HeldPartition, outcome: FencedOutcome): void;
}

/** One write of some partitions at a time, and what its answers mean to each of them. */
export class PositionWrites {
  readonly #context: SessionContext;
  readonly #listener: WriteListener;

  constructor(context: SessionContext, listener: WriteListener) {
    this.#context = context;
    this.#listener = listener;
  }

  /**
   * Writes what there is to say of partitions, except where a transaction is open; sends again at once what only a race refused.
   * Gives a failure, which is an event by then.
   */
  async send(partitions: Iterable<HeldPartition>): Promise<OffsetStoreError | undefined> {
    const { store, emit } = this.#context;
    let failure: OffsetStoreError | undefined;
    let writes = writesOf(partitions);
    for (let attempt = 1; writes.length > 0; attempt += 1) {
      const sent = new Sent();
      let outcomes: readonly CommitOutcome[];
      try {
        outcomes = await this.#commit(writes);
      } catch (error) {
        const keys = writes.map(({ partition }) => partition.key);
        const known = error instanceof OffsetStoreError ? error : unknownError("commit", store.name, keys, error);
        for (const write of writes) this.#failed(write, known);
        emit({ type: "flush-failed", keys, error: known });
        return writes.some(saysMore) ? (failure ?? known) : failure;
      }
      const again: PartitionWrite[] = [];
      for (const [index, outcome] of outcomes.entries()) {
        const write = writes[index];
        if (write === undefined) continue;
        if (outcome.status === "failed") {
          const { error } = outcome;
          // One that may pass says when to try again.
          if (saysMore(write) && (failure === undefined || isFinal(failure))) failure = error;
          this.#failed(write, error);
          emit({ type: "flush-failed", keys: [write.partition.key], error });
          continue;
        }
        const next = this.#answered(write, outcome, sent, attempt < MAX_IMMEDIATE_ATTEMPTS);
        if (next !== undefined) again.push(next);
      }
      writes = again;
    }
    return failure;
  }

  #commit(writes: readonly PartitionWrite[]): readonly CommitOutcome[] | Promise<readonly CommitOutcome[]> {
    const { store, consumer, topic } = this.#context;
    return traced(
      "tidemark:flush",
      () => store.commit(writes.map(({ entry }) => entry)),
      () => ({
        ...{ consumer, topic, store: store.name },
        positions: Object.freeze(
          writes.map(({ entry: { key, nextOffset } }) => Object.freeze({ partition: key.partition, nextOffset })),
        ),
      }),
    );
  }

  #failed(write: PartitionWrite, error: OffsetStoreError): void {
    write.partition.refusal = isFinal(error) ? error : undefined;
    if (!saysMore(write)) this.#listener.notReleased(write.partition);
  }

  /** Takes in one answer. Gives what is to be sent at once, if anything. */
  #answered(
    write: PartitionWrite,
    outcome: Exclude<CommitOutcome, { status: "failed" }>,
    sent: Sent,
    mayRepeat: boolean,
  ): PartitionWrite | undefined {
    const { emit } = this.#context;
    const { partition, entry } = write;
    const { key } = partition;
    if (partition.isOver) {
      // Lost, and claimed again perhaps: the answer is to the former claim.
      this.#listener.released(partition);
      return undefined;
    }
    switch (outcome.status) {
      case "committed":
        if (entry.recreate === true) emit({ type: "recreated", key, nextOffset: entry.nextOffset });
        partition.written(write, outcome, sent);
        break;
      case "behind":
        partition.behind(write, outcome.record, sent);
        emit({ type: "behind", key, sent: entry.nextOffset ?? 0n, record: outcome.record });
        break;
      case "fenced":
        // Only what is not there is written again: a record whose TTL an operator made longer meanwhile keeps it.
        if (mayRepeat && outcome.reason === "absent" && entry.recreate !== true && partition.mayHaveExpired) {
          return partition.write(true);
        }
        // A release without a position to write lost nothing.
        if (entry.release === true && !partition.isDirty) this.#listener.released(partition);
        else this.#listener.fenced(partition, outcome);
        return undefined;
    }
    this.#listener.settled(partition);
    // What was committed since it was sent comes too late: the claim has ended.
    const isOver = partition.isReleasing && entry.release === true && outcome.status === "committed";
    if (isOver) this.#listener.released(partition);
    else if (mayRepeat && ((write.isRepeated && partition.isDirty) || partition.isReleasing)) return partition.write();
    return undefined;
  }
}

function writesOf(partitions: Iterable<HeldPartition>): PartitionWrite[] {
  const now = performance.now();
  const writes: PartitionWrite[] = [];
  for (const partition of partitions) if (partition.inTransactionUntil <= now) writes.push(partition.write());
  return writes;
}

/** Whether a write says more than that a claim ends: that one could not be ended is an event, it ends with the next claim. */
function saysMore({ entry: { nextOffset, release } }: PartitionWrite): boolean {
  return nextOffset !== undefined || release !== true;
}
