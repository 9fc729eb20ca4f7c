import type { LogRecord } from "@tidemark/core";
import type { AbortedTransaction } from "./fetch-api.ts";
import { openBatch, type RecordBatch, transactionOf } from "./record-batches.ts";
import { ResultRoom } from "./result-room.ts";

// The second number in the key of a control record.
const ABORT_MARKER = 0;

/** Follows through the batches of an answer which producers are in a transaction that was aborted. */
export class AbortedProducers {
  readonly #begins: AbortedTransaction[];
  readonly #producers = new Set<bigint>();

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#begins = transactions.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  }

  /** Whether a batch's records are not to be seen: markers, and what was aborted. Asked once for each batch, in order. */
  hides(batch: RecordBatch): boolean {
    const { lastOffset } = batch;
    for (let next = this.#begins[0]; next !== undefined && next.firstOffset <= lastOffset; next = this.#begins[0]) {
      this.#producers.add(next.producerId);
      this.#begins.shift();
    }
    const { kind, producerId } = transactionOf(batch);
    if (kind !== "marker") return kind === "records" && this.#producers.has(producerId);
    const records: LogRecord[] = [];
    openBatch("", 0, batch).read(new ResultRoom(batch.bytes.length), records);
    const key = records[0]?.key;
    if (key instanceof Buffer && key.readInt16BE(2) === ABORT_MARKER) this.#producers.delete(producerId);
    return true;
  }
}
