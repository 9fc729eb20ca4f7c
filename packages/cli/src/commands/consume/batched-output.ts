import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogRecord } from "@tidemark/core";

/** How records are written. */
export interface BatchedOutputOptions {
  /** Resolves when the bytes are handed over to the system. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** So many bytes are written together; 1: each record alone. */
  readonly batchBytes: number;
  /** Called after a write, with the last record of each partition in it, and how many records it had. */
  readonly onWritten: (last: Iterable<LogRecord>, recordCount: number) => void;
  /** Called once, when a write or `onWritten` failed. Nothing is written any more. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Writes records in batches, and says of each batch when it is out: only then may its positions be committed. A batch waits
 * for nothing but the records that are at hand, so that a single record shows at once.
 */
export interface BatchedOutput {
  /** Takes a record. A promise, where there is one, must resolve before the next. */
  add(record: LogRecord, bytes: Uint8Array): Promise<void> | undefined;
  /** Resolves when all that was taken is written, or never will be. */
  drain(): Promise<void>;
  /** Drops what is not on its way yet. Resolves when what is on its way is out, or failed. */
  abandon(): Promise<void>;
}

/** Makes an output. */
export function createBatchedOutput(options: BatchedOutputOptions): BatchedOutput {
  const { batchBytes, onWritten, onFailure } = options;
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let last = new Map<number, LogRecord>();
  let writing: Promise<void> | undefined;
  let idleWrite: NodeJS.Immediate | undefined;
  let ended = false;

  const write = async (batch: Uint8Array, written: ReadonlyMap<number, LogRecord>, count: number): Promise<void> => {
    try {
      await options.write(batch);
      onWritten(written.values(), count);
    } catch (error) {
      if (!ended) onFailure(error);
      ended = true;
    }
  };
  const startWriting = (): void => {
    clearImmediate(idleWrite);
    idleWrite = undefined;
    if (ended || chunks.length === 0) return;
    const batch = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes);
    const done = write(batch, last, chunks.length).then(() => {
      writing = undefined;
    });
    chunks = [];
    bytes = 0;
    last = new Map();
    writing = done;
  };
  const writesEnded = async (): Promise<void> => {
    while (writing !== undefined) await writing;
  };
  const drain = async (): Promise<void> => {
    await writesEnded();
    startWriting();
    await writesEnded();
  };
  const drainAndYield = async (): Promise<void> => {
    await drain();
    // A write to a file ends, and a fetch from an embedded log may end, without a turn of the event loop: timers that
    // flush, and Ctrl-C, would wait for the end of the log.
    await nextTurn();
  };
  const onIdle = (): void => {
    idleWrite = undefined;
    if (writing === undefined) startWriting();
    else void writing.then(scheduleIdleWrite);
  };
  const scheduleIdleWrite = (): void => {
    if (!ended && chunks.length > 0) idleWrite ??= setImmediate(onIdle);
  };

  return {
    add(record, encoded) {
      if (ended) return undefined;
      chunks.push(encoded);
      bytes += encoded.length;
      last.set(record.partition, record);
      if (bytes >= batchBytes) return drainAndYield();
      scheduleIdleWrite();
      return undefined;
    },
    drain,
    async abandon() {
      ended = true;
      clearImmediate(idleWrite);
      chunks = [];
      await writesEnded();
    },
  };
}
