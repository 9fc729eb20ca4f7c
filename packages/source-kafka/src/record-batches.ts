import type { RecordsBatch } from "@platformatic/kafka";
import type { LogRecord, RecordHeader } from "@tidemark/core";
import type { PartitionAnswer } from "./broker-fetcher.ts";

const NO_BYTES = new Uint8Array(0);
const NO_HEADERS: readonly RecordHeader[] = Object.freeze([]);
// Bits of a batch's attributes.
const LOG_APPEND_TIME = 1 << 3;
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
// The second number in the key of a control record.
const ABORT_MARKER = 0;

/** What an answer holds from an offset on. */
export interface DecodedRecords {
  readonly records: LogRecord[];
  /** Past all that was looked at: records, what compaction left of batches, and the markers of transactions. */
  readonly nextOffset: bigint;
}

/**
 * Reads the records from `offset` on. Batches come whole and may begin earlier. Markers of transactions are no records, and
 * of the aborted transactions that the answer tells (with the isolation `read_committed`) no record is given.
 */
export function decodeRecords(
  topic: string,
  partition: number,
  offset: bigint,
  answer: PartitionAnswer,
): DecodedRecords {
  const records: LogRecord[] = [];
  const aborted = new AbortedProducers(answer.abortedTransactions ?? []);
  let nextOffset = offset;
  for (const batch of answer.records ?? []) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    if (last >= nextOffset) nextOffset = last + 1n;
    const hidden = aborted.hides(batch, last);
    if (hidden || last < offset) continue;
    for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
      const recordOffset = batch.firstOffset + BigInt(offsetDelta);
      if (recordOffset < offset) continue;
      const isBrokersTime = (batch.attributes & LOG_APPEND_TIME) !== 0;
      records.push({
        topic,
        partition,
        offset: recordOffset,
        timestampMs: Number(isBrokersTime ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta),
        key,
        value,
        headers: headers.length === 0 ? NO_HEADERS : headers.map(toHeader),
      });
    }
  }
  return { records, nextOffset };
}

/** Follows through the batches of an answer which producers are in a transaction that was aborted. */
class AbortedProducers {
  readonly #begins: { readonly producerId: bigint; readonly firstOffset: bigint }[];
  readonly #producers = new Set<bigint>();

  constructor(transactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]) {
    this.#begins = transactions.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  }

  /** Whether a batch's records are not to be seen: markers, and what was aborted. */
  hides(batch: RecordsBatch, last: bigint): boolean {
    for (let next = this.#begins[0]; next !== undefined && next.firstOffset <= last; next = this.#begins[0]) {
      this.#producers.add(next.producerId);
      this.#begins.shift();
    }
    if ((batch.attributes & CONTROL) !== 0) {
      const key = batch.records[0]?.key;
      if (key?.readInt16BE(2) === ABORT_MARKER) this.#producers.delete(batch.producerId);
      return true;
    }
    return (batch.attributes & TRANSACTIONAL) !== 0 && this.#producers.has(batch.producerId);
  }
}

function toHeader([name, value]: readonly [Buffer | null, Buffer | null]): RecordHeader {
  return { name: name?.toString() ?? "", value: value ?? NO_BYTES };
}
