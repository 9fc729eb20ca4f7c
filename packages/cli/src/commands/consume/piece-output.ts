import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogRecord } from "@tidemark/core";

/** How long a piece may keep the event loop to itself, with a file that takes it at once. */
const MAX_TURN_MS = 5;

/** How records are written. */
export interface PieceOutputOptions {
  /** Resolves when the bytes are handed over to the system. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** The most bytes that are written together, but for a record that has more by itself; 1: each record alone. */
  readonly pieceBytes: number;
  /** Called after a write, with the last record of each partition in it, and how many records it had. */
  readonly onWritten: (last: Iterable<LogRecord>, recordCount: number) => void;
  /** Called once, when a write or `onWritten` failed. Nothing is written any more. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Writes records in pieces, and says of each piece when it is out: only then may its positions be committed. A piece waits
 * for nothing but the records that are at hand, so that a single record shows at once.
 */
export interface PieceOutput {
  /** Takes a record. A promise, where there is one, must resolve before the next. */
  add(record: LogRecord, bytes: Uint8Array): Promise<void> | undefined;
  /** Resolves when all that was taken is written, or never will be. */
  drain(): Promise<void>;
  /** Drops what is not on its way yet. Resolves when what is on its way is out, or failed. */
  abandon(): Promise<void>;
}

/** Makes an output. */
export function createPieceOutput(options: PieceOutputOptions): PieceOutput {
  const { pieceBytes, onWritten, onFailure } = options;
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let last = new Map<number, LogRecord>();
  let begunAt = 0;
  let writing: Promise<void> | undefined;
  let idleWrite: NodeJS.Immediate | undefined;
  let ended = false;

  const write = async (piece: Uint8Array, written: ReadonlyMap<number, LogRecord>, count: number): Promise<void> => {
    try {
      await options.write(piece);
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
    const piece = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes);
    const done = write(piece, last, chunks.length).then(() => {
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
  const onIdle = (): void => {
    idleWrite = undefined;
    if (writing === undefined) startWriting();
    else void writing.then(scheduleIdleWrite);
  };
  const scheduleIdleWrite = (): void => {
    if (!ended && chunks.length > 0) idleWrite ??= setImmediate(onIdle);
  };
  const take = (record: LogRecord, encoded: Uint8Array): void => {
    if (chunks.length === 0) begunAt = performance.now();
    chunks.push(encoded);
    bytes += encoded.length;
    last.set(record.partition, record);
  };
  /** Writes the piece, and takes the record that did not fit. */
  const cut = async (record?: LogRecord, encoded?: Uint8Array): Promise<void> => {
    const since = begunAt;
    await drain();
    // A write to a file ends without a turn of the event loop: timers that flush, and Ctrl-C, would wait for it.
    if (performance.now() - since > MAX_TURN_MS) await nextTurn();
    if (ended || record === undefined || encoded === undefined) return;
    take(record, encoded);
    if (bytes >= pieceBytes) await drain();
    else scheduleIdleWrite();
  };

  return {
    add(record, encoded) {
      if (ended) return undefined;
      if (chunks.length > 0 && bytes + encoded.length > pieceBytes) return cut(record, encoded);
      take(record, encoded);
      if (bytes >= pieceBytes) return cut();
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
