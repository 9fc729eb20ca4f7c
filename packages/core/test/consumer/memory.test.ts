import { createConsumer, type FetchRequest, type LogRecord, type LogSource } from "@tidemark/core";
import { expect, test } from "vitest";

const RECORD_BYTES = 1_000;
const RECORDS = 30;

/** A log of many partitions that counts what was asked for and is not worked on yet. */
function countingLog(partitions: number): {
  source: LogSource;
  held: { bytes: number; most: number };
  waits: FetchRequest[];
  /** All of a partition is handed out: nothing of it is held any more. */
  ended: (partition: number) => void;
} {
  const held = { bytes: 0, most: 0 };
  const waits: FetchRequest[] = [];
  const asked = new Map<number, number>();
  const numbers = Array.from({ length: partitions }, (_, partition) => partition);
  const source: LogSource = {
    name: "counting",
    partitions: async () => numbers,
    listOffsets: async (_topic, entries) =>
      entries.map(({ partition, timestamp }) => ({ partition, offset: timestamp === -2 ? 0n : BigInt(RECORDS) })),
    fetch: async (request) => {
      const { topic, partition, offset, maxBytes } = request;
      waits.push(request);
      // Asking again says that everything of the answer before is handed out.
      held.bytes += maxBytes - (asked.get(partition) ?? 0);
      asked.set(partition, maxBytes);
      held.most = Math.max(held.most, held.bytes);
      const count = Math.max(1, Math.min(Math.floor(maxBytes / RECORD_BYTES), RECORDS - Number(offset)));
      const records = Array.from({ length: count }, (_, index): LogRecord => {
        const at = offset + BigInt(index);
        return {
          topic,
          partition,
          offset: at,
          timestampMs: 0,
          key: null,
          value: new Uint8Array(RECORD_BYTES),
          headers: [],
        };
      });
      return { records, nextOffset: offset + BigInt(count), highWatermark: BigInt(RECORDS) };
    },
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const ended = (partition: number): void => {
    held.bytes -= asked.get(partition) ?? 0;
    asked.delete(partition);
  };
  return { source, held, waits, ended };
}

test.each([1, 7, 200])(
  "%d partitions hold and ask for no more than maxBufferedBytes together (contract 5.22)",
  async (partitions) => {
    const { source, held, waits, ended } = countingLog(partitions);
    const maxBufferedBytes = 400_000;
    await using consumer = await createConsumer({
      topic: "orders",
      source,
      untilEnd: true,
      maxBytes: 64_000,
      maxBufferedBytes,
    });
    let read = 0;
    for await (const { partition, offset } of consumer) {
      read += 1;
      if (offset === BigInt(RECORDS - 1)) ended(partition);
      // A body that holds the loop ends the turn of its partition, which then is behind the others.
      if (read === partitions * 15 + 1) for (const until = performance.now() + 150; performance.now() < until;);
    }
    expect(read).toBe(partitions * RECORDS);
    expect(held.most).toBeLessThanOrEqual(maxBufferedBytes);
    // None waits for another: each has its first fetch before any has its second.
    expect(new Set(waits.slice(0, partitions).map(({ partition }) => partition)).size).toBe(partitions);
    expect(waits[0]?.maxBytes).toBeLessThanOrEqual(64_000);
  },
);
