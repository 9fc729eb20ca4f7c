import { OffsetOutOfRangeError } from "@tidemark/core";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogDatabase } from "./log-database.ts";
import type { LogCall } from "./log-errors.ts";
import type { PartitionState, PartitionStates } from "./partition-state.ts";
import { RECORD_OVERHEAD_BYTES } from "./record-size.ts";

const ROWS_PER_STEP = 5_000;
const SWEEP_ON_READ_INTERVAL_MS = 1_000;

/** Removes old records, in steps that each hold the lock for a short time. */
export class LogRetention {
  readonly #database: LogDatabase;
  readonly #states: PartitionStates;
  readonly #oldest;
  readonly #deleteRows;
  readonly #moveStart;
  readonly #dropped;
  readonly #droppedBound;
  readonly #deleteDroppedRows;
  readonly #forgetDropped;
  readonly #sweptOnReadAt = new Map<string, number>();

  constructor(database: LogDatabase, states: PartitionStates) {
    this.#database = database;
    this.#states = states;
    this.#oldest = database.prepare(
      `SELECT offset, coalesce(length(key), 0) + coalesce(length(value), 0) + coalesce(length(headers), 0)
        FROM tidemark_log_record WHERE topic_id = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?`,
    );
    this.#deleteRows = database.prepare(
      "DELETE FROM tidemark_log_record WHERE topic_id = ? AND partition = ? AND offset >= ? AND offset < ?",
    );
    this.#moveStart = database.prepare(
      `UPDATE tidemark_log_partition SET start_offset = ?, swept_offset = ?, bytes = ?
        WHERE topic_id = ? AND partition = ?`,
    );
    this.#dropped = database.prepare("SELECT topic_id FROM tidemark_log_dropped LIMIT 1");
    this.#droppedBound = database.prepare(
      `SELECT partition, offset FROM tidemark_log_record WHERE topic_id = ? ORDER BY partition, offset LIMIT 1 OFFSET ?`,
    );
    this.#deleteDroppedRows = database.prepare(
      "DELETE FROM tidemark_log_record WHERE topic_id = ? AND (partition, offset) < (?, ?)",
    );
    this.#forgetDropped = database.prepare("DELETE FROM tidemark_log_dropped WHERE topic_id = ?");
  }

  /**
   * Takes one step in a partition, within a write transaction: what is too old or lies before `before` cannot be read from
   * then on, and at most `rows` rows go. Returns whether that was all.
   */
  step(state: PartitionState, rows = ROWS_PER_STEP, before = 0n): boolean {
    const expired = this.#states.startAt(state, Date.now());
    let start = before > expired ? before : expired;
    let { bytes, swept } = state;
    const { topicId, partition, next, retentionBytes = Number.POSITIVE_INFINITY } = state;
    let seen = 0;
    if (swept < start || bytes > retentionBytes) {
      for (const row of this.#oldest.iterate(topicId, partition, swept, rows)) {
        const [offset, size] = row as unknown as [bigint, bigint];
        // The newest record stays, however large: a limit set too low must not make the log mute.
        if (offset >= start && (bytes <= retentionBytes || offset === next - 1n)) break;
        bytes -= Number(size) + RECORD_OVERHEAD_BYTES;
        swept = offset + 1n;
        seen += 1;
      }
      if (seen < rows && swept < start) swept = start;
      if (swept > start) start = swept;
    }
    if (start === state.start && swept === state.swept) return true;
    if (swept > state.swept) this.#deleteRows.run(topicId, partition, state.swept, swept);
    this.#moveStart.run(start, swept, BigInt(bytes), topicId, partition);
    return seen < rows;
  }

  /** Takes a step for a partition that is read and whose oldest records are due, if the file can be written just now. */
  sweepOnRead(topic: string, partition: number): void {
    const name = `${partition}/${topic}`;
    const now = performance.now();
    const last = this.#sweptOnReadAt.get(name);
    if (last !== undefined && now - last < SWEEP_ON_READ_INTERVAL_MS) return;
    this.#sweptOnReadAt.set(name, now);
    this.#database.tryWrite(() => {
      this.step(this.#states.get(topic, partition));
    });
  }

  /** Applies every topic's retention, until nothing is due. */
  async applyAll(call: LogCall): Promise<void> {
    let after = { topicId: 0n, partition: -1 };
    for (;;) {
      const found = await this.#database.read(call, () => this.#states.nextWithRetention(after));
      if (found === undefined) break;
      let done = false;
      while (!done) {
        done = await this.#database.write(call, () => {
          const state = this.#states.nextWithRetention(after);
          // Deleted meanwhile, with its topic.
          if (state?.topicId !== found.topicId || state.partition !== found.partition) return true;
          return this.step(state);
        });
        await nextTurn();
      }
      after = found;
    }
    await this.sweepDropped(call);
  }

  /** Applies one topic's retention, until nothing is due. */
  async applyTo(topic: string, partitions: number, call: LogCall): Promise<void> {
    for (let partition = 0; partition < partitions; partition += 1) await this.#finish(topic, partition, call);
  }

  /** Removes the records before an offset. Resolves with the first offset that can still be read. */
  async deleteBefore(topic: string, partition: number, before: bigint, call: LogCall): Promise<bigint> {
    const start = await this.#database.write(call, () => {
      const state = this.#states.get(topic, partition);
      const { start: earliest, next: latest } = state;
      if (before > latest) {
        throw new OffsetOutOfRangeError({ topic, partition, requested: before, earliest, latest });
      }
      this.step(state, ROWS_PER_STEP, before);
      return this.#states.get(topic, partition).start;
    });
    await this.#finish(topic, partition, call);
    return start;
  }

  /** Removes the records of topics that were deleted. */
  async sweepDropped(call: LogCall): Promise<void> {
    for (;;) {
      const [dropped] =
        (await this.#database.read(call, () => this.#dropped.get() as unknown as [bigint] | undefined)) ?? [];
      if (dropped === undefined) return;
      await this.#database.write(call, () => {
        const bound = this.#droppedBound.get(dropped, ROWS_PER_STEP) as unknown as [bigint, bigint] | undefined;
        this.#deleteDroppedRows.run(dropped, bound?.[0] ?? 2n ** 62n, bound?.[1] ?? 0n);
        if (bound === undefined) this.#forgetDropped.run(dropped);
      });
      await nextTurn();
    }
  }

  async #finish(topic: string, partition: number, call: LogCall): Promise<void> {
    while (!(await this.#database.write(call, () => this.step(this.#states.get(topic, partition))))) await nextTurn();
  }
}
