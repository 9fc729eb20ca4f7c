import type { MessageRecord } from "@platformatic/kafka";

/** More than that in one request may be more than a broker reads at once (`socket.request.max.bytes`). */
const LARGEST_BATCH_BYTES = 32 * 1024 * 1024;
// At most, in an encoding whose numbers are as long as they must be.
const BYTES_BESIDE_BATCH = 61;
const BYTES_BESIDE_RECORD = 32;
const BYTES_BESIDE_HEADER = 10;
/** The client writes each record's time as a difference from the first one's, and gets differences of more bits wrong. */
const MAX_TIME_DIFFERENCE_MS = 2n ** 31n - 1n;

/** Cuts what is to be written into batches that a topic takes: how large they may be is learnt from what the brokers refuse. */
export class BatchSizes {
  readonly #largest = new Map<string, number>();

  /** As many messages, from the one at `from` on, as one batch holds and the topic is expected to take; one at least. */
  cut(topic: string, messages: readonly MessageRecord[], from: number): MessageRecord[] {
    let bytes = this.#largest.get(topic) ?? LARGEST_BATCH_BYTES;
    bytes -= BYTES_BESIDE_BATCH;
    let end = from;
    for (; end < messages.length; end += 1) {
      const message = messages[end] as MessageRecord;
      bytes -= sizeOf(message);
      if (end > from && (bytes < 0 || !isNear(message, messages[from]))) break;
    }
    return messages.slice(from, end);
  }

  /** Takes in that a batch was refused for its size: half of it is tried next. */
  refused(topic: string, batch: readonly MessageRecord[]): void {
    this.#largest.set(topic, batch.reduce((sum, message) => sum + sizeOf(message), BYTES_BESIDE_BATCH) / 2);
  }
}

function isNear(
  { timestamp: time = 0n }: MessageRecord,
  { timestamp: first = 0n }: Partial<MessageRecord> = {},
): boolean {
  const difference = time - first;
  return difference <= MAX_TIME_DIFFERENCE_MS && -difference <= MAX_TIME_DIFFERENCE_MS;
}

function sizeOf({ key, value, headers }: MessageRecord): number {
  let bytes = BYTES_BESIDE_RECORD + (key?.length ?? 0) + (value?.length ?? 0);
  if (headers instanceof Map) {
    for (const [name, content] of headers) bytes += BYTES_BESIDE_HEADER + name.length + content.length;
  }
  return bytes;
}
