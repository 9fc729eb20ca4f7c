import {
  type CompressionAlgorithmValue,
  createRecordsBatch,
  type MessageRecord,
  Reader,
  readRecordsBatches,
} from "@platformatic/kafka";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, it } from "vitest";
import type { LogRecord } from "@tidemark/core";
import { AnswerReader } from "../src/answer-reader.ts";

// Written and read by the client, whose own reading of batches the source does without.

it.each<CompressionAlgorithmValue>(["none", "gzip", "snappy", "lz4", "zstd"])(
  "reads what the client reads from its batches, compressed with %s",
  (compression) => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = randomFrom(seed);
      const bytes = Buffer.concat(Array.from({ length: 1 + random(4) }, (_, n) => batchOf(random, compression, n)));
      const expected = readRecordsBatches(Reader.from(bytes)).flatMap(({ records, firstOffset, firstTimestamp }) =>
        records.map(({ offsetDelta, timestampDelta, key, value, headers }) => ({
          topic: "t",
          partition: 3,
          offset: firstOffset + BigInt(offsetDelta),
          timestampMs: Number(firstTimestamp + timestampDelta),
          key,
          value,
          headers: headers.map(([name, content]) => ({ name: String(name), value: content })),
        })),
      );
      expect(decode(bytes)).toEqual(expected);
      expect(decode(bytes, 0n, 1)).toEqual(expected);
    }
  },
);

it("goes on within a batch whose uncompressed bytes it was told to forget", () => {
  const values = Array.from({ length: 40 }, (_, number) => `value ${number}`);
  const reader = readerOf(
    batch(
      values.map((value) => ({ value: Buffer.from(value) })),
      "zstd",
    ),
  );
  const read: string[] = [];
  do {
    read.push(...reader.read(1_000).records.map(({ value }) => String(value)));
    expect(reader.uncompressedLength > 0).toBe(reader.hasMore);
    reader.forgetUncompressed();
    expect(reader.uncompressedLength).toBe(0);
  } while (reader.hasMore);
  expect(read).toEqual(values);
});

it.each([0n, 2n ** 53n - 2n, 2n ** 62n])("counts offsets from %s exactly", (firstOffset) => {
  const bytes = batch(["a", "b", "c"].map((value) => ({ value: Buffer.from(value) })));
  bytes.writeBigInt64BE(firstOffset);
  expect(decode(bytes).map(({ offset }) => offset)).toEqual([firstOffset, firstOffset + 1n, firstOffset + 2n]);
  expect(decode(bytes, firstOffset + 2n).map(({ offset }) => offset)).toEqual([firstOffset + 2n]);
});

const FIRST_TIME = 2 ** 41;

it.each([0, 1, 63, 64, 8_191, 8_192, 2 ** 27, 2 ** 28, 2 ** 31, 2 ** 35, 2 ** 48, -1, -64, -65, -(2 ** 40)])(
  "reads a time of %i ms after the first one's",
  (delta) => {
    expect(decode(batchAtTime(delta)).map(({ timestampMs }) => timestampMs)).toEqual([FIRST_TIME + delta]);
  },
);

it("leaves out a last batch that is cut off anywhere", () => {
  const whole = batch([{ value: Buffer.from("whole") }]);
  const cut = batch([{ value: Buffer.from("cut off") }]);
  for (let length = 0; length < cut.length; length += 1) {
    expect(decode(Buffer.concat([whole, cut.subarray(0, length)]))).toHaveLength(1);
  }
});

it("refuses what it cannot read", () => {
  const old = batch([{ value: Buffer.from("x") }]);
  old.writeInt8(1, 16);
  expect(() => decode(old)).toThrow(/Kafka 0\.11/);
  const unknown = batch([{ value: Buffer.from("x") }]);
  unknown.writeInt16BE(5, 21);
  expect(() => decode(unknown)).toThrow(/method 5/);
});

it.each([
  ["is no batch", (bytes: Buffer) => bytes.writeInt8(7, 16)],
  ["is compressed in a way that nobody knows", (bytes: Buffer) => bytes.writeInt16BE(5, 21)],
  [
    "has a record in the wrong place",
    (bytes: Buffer) => bytes.writeInt8(2 * 3, bytes.length - (bytes.length - 61) / 2 + 3),
  ],
])("gives what comes before the batch that %s, and refuses that one", (_what, damage) => {
  const [sound, damaged] = ["sound", "hurt"].map((text) =>
    batch([1, 2].map((n) => ({ value: Buffer.from(text + n) }))),
  );
  expect.assert(sound && damaged);
  damaged.writeBigInt64BE(2n);
  damage(damaged);
  const { records, nextOffset } = readerOf(Buffer.concat([sound, damaged])).read(1_048_576);
  expect(records.map(({ value }) => String(value))).toEqual(["sound1", "sound2"]);
  expect(nextOffset).toBe(2n);
  expect(() => decode(damaged, 2n)).toThrow(/damaged|method 5/);
});

it.each(["gzip", "zstd"] as const)(
  "refuses a batch of %s that would take more memory than a process may have",
  (method) => {
    const [compress, number] = method === "gzip" ? [gzipSync, 1] : [zstdCompressSync, 4];
    // Both methods take several of their streams for one.
    const part = compress(Buffer.alloc(16 * 1024 * 1024));
    const head = batch([{ value: Buffer.from("x") }]).subarray(0, 61);
    const bytes = Buffer.concat([head, ...Array.from({ length: 40 }, () => part)]);
    bytes.writeInt32BE(bytes.length - 12, 8);
    bytes.writeInt16BE(number, 21);
    expect(bytes.length).toBeLessThan(1_000_000);
    expect(() => decode(bytes)).toThrow(/larger than 536870912 bytes/);
  },
);

it.each([
  ["before the log", -1n, 0],
  ["at the end of all numbers", 2n ** 63n - 1n, 0],
  ["over the end of all numbers", 2n ** 63n - 2n, 1],
])("refuses a batch %s", (_where, firstOffset, lastDelta) => {
  const bytes = batch([{ value: Buffer.from("x") }]);
  bytes.writeBigInt64BE(firstOffset);
  bytes.writeInt32BE(lastDelta, 23);
  expect(() => decode(bytes)).toThrow(/damaged/);
});

it.each([
  ["before its batch", -1],
  ["at the place of the one before", 0],
  ["after its batch", 3],
])("refuses a record %s", (_where, delta) => {
  const bytes = batch(["a", "b", "c"].map((text) => ({ value: Buffer.from(text) })));
  // The number in the batch of its second record: behind the first one, which is as long, a length, attributes and a time.
  const length = (bytes.length - 61) / 3;
  bytes.writeInt8(delta < 0 ? -2 * delta - 1 : 2 * delta, 61 + length + 3);
  expect(() => decode(bytes)).toThrow(/out of order/);
});

it.each([
  ["fewer records than it has", 57, 2],
  ["more records than it has", 57, 4],
  ["less than no records", 57, -1],
  ["a last offset before its first one", 23, -1],
])("refuses a batch that tells %s, and leaves out nothing in silence", (_what, at, value) => {
  const bytes = batch(["a", "b", "c"].map((text) => ({ value: Buffer.from(text) })));
  bytes.writeInt32BE(value, at);
  expect(() => decode(bytes)).toThrow(/damaged|runs over/);
});

it("never reads over the end of a damaged batch", () => {
  const bytes = batch([
    { key: Buffer.from("key"), value: Buffer.from("value"), headers: new Map([[Buffer.from("a"), Buffer.from("b")]]) },
  ]);
  // From the first record on: what comes before are the batch's own fields.
  for (let at = 61; at < bytes.length; at += 1) {
    for (const byte of [0x7f, 0x80, 0xff]) {
      const damaged = Buffer.from(bytes);
      damaged[at] = byte;
      let read: ReturnType<typeof decode> = [];
      try {
        read = decode(damaged);
      } catch (error) {
        expect(error).toMatchObject({ message: expect.stringMatching(/over the end|is damaged/) });
      }
      for (const { key, value } of read) expect((key?.length ?? 0) + (value?.length ?? 0)).toBeLessThan(bytes.length);
    }
  }
});

function readerOf(bytes: Buffer, from = 0n): AnswerReader {
  return new AnswerReader("t", 3, from, { abortedTransactions: [], bytes });
}

/** Reads an answer to its end, in parts of so many bytes. */
function decode(bytes: Buffer, from = 0n, maxBytes = 1_048_576): LogRecord[] {
  const reader = readerOf(bytes, from);
  const records: LogRecord[] = [];
  do records.push(...reader.read(maxBytes).records);
  while (reader.hasMore);
  return records;
}

interface Message {
  readonly key?: Buffer;
  readonly value: Buffer | null;
  readonly timestamp?: bigint;
  readonly headers?: Map<Buffer, Buffer>;
}

function batch(messages: readonly Message[], compression: CompressionAlgorithmValue = "none"): Buffer {
  // The client's types know no null value; its protocol does.
  const records = messages.map((message) => ({ topic: "t", ...message }) as MessageRecord);
  return Buffer.from(createRecordsBatch(records, { compression }).buffer);
}

/** A batch of one record without a value. The client writes wrong times where they are 25 days from the first one's. */
function batchAtTime(delta: number): Buffer {
  const time: number[] = [];
  let rest = delta < 0 ? -2n * BigInt(delta) - 1n : 2n * BigInt(delta);
  for (; rest > 0x7fn; rest >>= 7n) time.push(Number(rest & 0x7fn) | 0x80);
  // Its attributes, its time, its number 0, no key, no value, no headers.
  const record = [0, ...time, Number(rest), 0, 1, 1, 0];
  const head = batch([{ value: null, timestamp: BigInt(FIRST_TIME) }]).subarray(0, 61);
  head.writeInt32BE(49 + 1 + record.length, 8);
  return Buffer.concat([head, Buffer.from([2 * record.length, ...record])]);
}

function batchOf(random: (below: number) => number, compression: CompressionAlgorithmValue, number: number): Buffer {
  const bytes = (): Buffer => Buffer.alloc(random(4) === 0 ? random(2_000) : random(40), random(256));
  const messages = Array.from({ length: 1 + random(60) }, () => ({
    ...(random(3) > 0 && { key: bytes() }),
    value: random(8) === 0 ? null : bytes(),
    timestamp: BigInt(2 ** 40 + random(2 ** 30)),
    ...(random(3) === 0 && { headers: new Map(Array.from({ length: random(4) }, () => [bytes(), bytes()])) }),
  }));
  const encoded = batch(messages, compression);
  encoded.writeBigInt64BE(BigInt(number * 2 ** 30 + random(2 ** 29)));
  return encoded;
}

function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}
