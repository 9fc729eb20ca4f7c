import type { FetchRequest } from "@tidemark/core";
import type { AnswerReader } from "./answer-reader.ts";
import type { PartitionLeader } from "./cluster.ts";

/** Partitions that are not read any more hold nothing. */
const KEEP_MS = 5_000;
/** For all partitions together: of answers, and again of what is uncompressed of them. */
const MAX_BYTES = 64 * 1024 * 1024;

/** An answer that is read in parts. */
export interface OpenAnswer {
  readonly reader: AnswerReader;
  /** Where the log ended as of this answer, for this isolation's readers. */
  readonly end: bigint;
}

/** To whom the rest of an answer is of use. */
interface KeptAnswer extends OpenAnswer {
  readonly leader: PartitionLeader;
  /** That of the part before. */
  readonly mark: string | undefined;
  readonly uncompressedLength: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Keeps for a short time what an answer has beyond what one result may hold, for the fetch that continues there: it is not asked
 * for again over the network. What finds no room is.
 */
export class KeptAnswers {
  readonly #kept = new Map<string, KeptAnswer>();
  #bytes = 0;
  #uncompressedBytes = 0;

  /** Keeps the rest of an answer for a fetch at this offset. */
  keep(
    { topic, partition }: FetchRequest,
    nextOffset: bigint,
    mark: string | undefined,
    leader: PartitionLeader,
    answer: OpenAnswer,
  ): void {
    const key = keyOf(topic, partition, nextOffset);
    this.#drop(key);
    const { reader } = answer;
    if (!fits(this.#bytes, reader.byteLength)) return;
    if (!fits(this.#uncompressedBytes, reader.uncompressedLength)) reader.forgetUncompressed();
    const { uncompressedLength } = reader;
    this.#bytes += reader.byteLength;
    this.#uncompressedBytes += uncompressedLength;
    const timer = setTimeout(() => this.#drop(key), KEEP_MS).unref();
    this.#kept.set(key, { ...answer, leader, mark, uncompressedLength, timer });
  }

  /** Gives what is kept for a fetch, if the log is still led as it was and this is the position after it. */
  take({ topic, partition, offset, mark }: FetchRequest, leader: PartitionLeader): OpenAnswer | undefined {
    const kept = this.#drop(keyOf(topic, partition, offset));
    if (kept === undefined || kept.leader.epoch !== leader.epoch || kept.leader.topicId !== leader.topicId)
      return undefined;
    return mark === undefined || mark === kept.mark ? kept : undefined;
  }

  /** Drops everything. */
  close(): void {
    for (const key of [...this.#kept.keys()]) this.#drop(key);
  }

  #drop(key: string): KeptAnswer | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    clearTimeout(kept.timer);
    this.#kept.delete(key);
    this.#bytes -= kept.reader.byteLength;
    this.#uncompressedBytes -= kept.uncompressedLength;
    return kept;
  }
}

function keyOf(topic: string, partition: number, offset: bigint): string {
  return `${partition} ${offset} ${topic}`;
}

/** What is too large for everything is kept alone. */
function fits(held: number, bytes: number): boolean {
  return held === 0 || held + bytes <= MAX_BYTES;
}
