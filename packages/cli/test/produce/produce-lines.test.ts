import type { LogProducer, RecordInput } from "@tidemark/core";
import { expect, test } from "vitest";
import { onePartition } from "../../src/commands/produce/partition-choice.ts";
import { produceLines } from "../../src/commands/produce/produce-lines.ts";

async function* chunksOf(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

function recordingProducer(fail?: (batch: number) => Error | undefined): LogProducer & { batches: string[][] } {
  const batches: string[][] = [];
  return {
    batches,
    async produce(_topic: string, _partition: number, records: readonly RecordInput[]) {
      await new Promise((resolve) => setImmediate(resolve));
      const error = fail?.(batches.length);
      if (error !== undefined) throw error;
      batches.push(records.map(({ value }) => Buffer.from(value ?? []).toString()));
      return 0n;
    },
  };
}

async function produce(producer: LogProducer, input: AsyncIterable<Uint8Array>): Promise<number> {
  let written = 0;
  const onProgress = (count: number): void => {
    written = count;
  };
  await produceLines({ input, producer, topic: "t", choosePartition: onePartition(0), onProgress });
  return written;
}

test("what arrives while a batch is written goes into the next one, in order", async () => {
  const producer = recordingProducer();
  expect(await produce(producer, chunksOf("a\n", "b\n", "c\nd"))).toBe(4);
  expect(producer.batches[0]).toEqual(["a"]);
  expect(producer.batches.length).toBeLessThan(4);
  expect(producer.batches.flat()).toEqual(["a", "b", "c", "d"]);
});

test("no batch is larger than it may be, and the input waits", async () => {
  const producer = recordingProducer();
  expect(await produce(producer, chunksOf("x\n".repeat(12_000), "y\n"))).toBe(12_001);
  expect(Math.max(...producer.batches.map(({ length }) => length))).toBe(5000);
});

test("a failing write ends it, and what was written before is known", async () => {
  const producer = recordingProducer((batch) => (batch === 1 ? new Error("no room") : undefined));
  await expect(produce(producer, chunksOf("x\n".repeat(12_000)))).rejects.toThrow("no room");
  expect(producer.batches.flat().length).toBe(5000);
});

test("a failing input ends it after the whole lines are written", async () => {
  const producer = recordingProducer();
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield* chunksOf("whole\nhalf");
    throw new Error("cut off");
  }
  await expect(produce(producer, failing())).rejects.toThrow("cut off");
  expect(producer.batches.flat()).toEqual(["whole"]);
});
