import type { LogProducer, RecordInput } from "@tidemark/core";
import { createLineSplitter } from "./line-splitter.ts";
import { readJsonRecord } from "./json-record.ts";
import type { PartitionChoice } from "./partition-choice.ts";

/** The most records that one write takes: what waits in memory while the log writes is about as much again. */
const LARGEST_BATCH_RECORDS = 5000;
const LARGEST_BATCH_BYTES = 4 * 1024 * 1024;

/** What is written, and where. */
export interface ProduceLinesOptions {
  readonly input: AsyncIterable<Uint8Array>;
  readonly producer: LogProducer;
  readonly topic: string;
  readonly choosePartition: PartitionChoice;
  /** What stands between a key and its value; absent: the whole line is the value. */
  readonly keySeparator?: string | undefined;
  /** Each line is a record as `consume -O json` writes it. */
  readonly isJson?: boolean | undefined;
  /** Called with the number of records that are durable so far. */
  readonly onProgress: (recordCount: number) => void;
}

/**
 * Writes each line as one record. Lines that arrive while the log is busy go into the next batch, so that a person's line
 * is written at once and a file's by the thousand; the input waits when a batch is full.
 */
export async function produceLines(options: ProduceLinesOptions): Promise<void> {
  const { input, producer, topic, choosePartition, onProgress } = options;
  const toRecord = options.isJson === true ? jsonReader() : recordReader(options.keySeparator);
  const splitter = createLineSplitter();
  let batch = new Map<number, RecordInput[]>();
  let batchRecords = 0;
  let batchBytes = 0;
  let written = 0;
  let writing: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;

  const write = async (records: ReadonlyMap<number, readonly RecordInput[]>): Promise<void> => {
    try {
      for (const [partition, ofPartition] of records) {
        await producer.produce(topic, partition, ofPartition);
        written += ofPartition.length;
        onProgress(written);
      }
    } catch (error) {
      failure = { error };
    }
  };
  const startWriting = (): void => {
    const records = batch;
    batch = new Map();
    batchRecords = 0;
    batchBytes = 0;
    writing = write(records).then(() => {
      writing = undefined;
      if (failure === undefined && batchRecords > 0) startWriting();
    });
  };
  const add = (line: Uint8Array): void => {
    const record = toRecord(line);
    const partition = choosePartition(record.key ?? null);
    const ofPartition = batch.get(partition);
    if (ofPartition === undefined) batch.set(partition, [record]);
    else ofPartition.push(record);
    batchRecords += 1;
    batchBytes += line.length;
  };
  const isFull = (): boolean => batchRecords >= LARGEST_BATCH_RECORDS || batchBytes >= LARGEST_BATCH_BYTES;
  const addAll = async (lines: readonly Uint8Array[]): Promise<void> => {
    for (const line of lines) {
      try {
        add(line);
      } catch (error) {
        if (writing === undefined && batchRecords > 0) startWriting();
        throw error;
      }
      while (isFull() && failure === undefined) {
        if (writing === undefined) startWriting();
        else await writing;
      }
      if (failure !== undefined) throw failure.error;
    }
    if (writing === undefined && batchRecords > 0) startWriting();
  };

  try {
    for await (const chunk of input) await addAll(splitter.push(chunk));
    await addAll(splitter.end());
  } finally {
    // Also when the input failed: the lines that came are whole, and are written.
    while (writing !== undefined) await writing;
  }
  if (failure !== undefined) throw failure.error;
}

/** A line that is wrong is named by its number: the lines before it are written. */
function jsonReader(): (line: Uint8Array) => RecordInput {
  let number = 0;
  return (line) => {
    number += 1;
    try {
      return readJsonRecord(line);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RangeError(`line ${number}: ${error.message}`, { cause: error });
    }
  };
}

function recordReader(separator: string | undefined): (line: Uint8Array) => RecordInput {
  if (separator === undefined) return (value) => ({ value });
  const separatorBytes = Buffer.from(separator);
  return (line) => {
    const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
    const at = bytes.indexOf(separatorBytes);
    // A line without a separator is a value without a key.
    if (at < 0) return { value: line };
    return { key: bytes.subarray(0, at), value: bytes.subarray(at + separatorBytes.length) };
  };
}
