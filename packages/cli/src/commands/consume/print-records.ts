import type { Consumer } from "@tidemark/core";
import { watchReader } from "../../context/reader-watch.ts";
import { writeToStandardOutput } from "../../context/standard-streams.ts";
import { BrokenPipe } from "../../failure/broken-pipe.ts";
import type { Progress } from "../progress.ts";
import { createPieceOutput } from "./piece-output.ts";
import type { RecordEncoder } from "./record-encoder.ts";
import { stopOnSignals } from "./stop-on-signals.ts";

/** How many bytes go out in one write. A pipe takes so few as a whole or not at all (`PIPE_BUF`), so no line is half out. */
const PIECE_BYTES = 4096;

/** How long Ctrl-C waits for a reader, or a terminal, that takes nothing; what it did not take is not committed. */
const PATIENCE_AT_STOP_MS = 1000;

/** What is printed, and how. */
export interface PrintRecordsOptions {
  /** With strategy `manual`, or `none` if nothing is kept. */
  readonly consumer: Consumer;
  readonly encode: RecordEncoder;
  /** Stop after so many records. */
  readonly limit: number | undefined;
  /** Each record's position is durable before the next is asked for. */
  readonly oneByOne: boolean;
  readonly progress: Progress;
}

/**
 * Prints records until the consumer ends, the limit is reached, the reader has left, or a signal comes; then flushes and
 * closes the consumer. What is committed is what was printed: a position is never ahead of the output, not even by one
 * record of a piece, not even when the process is killed.
 *
 * @returns how many records were printed.
 */
export async function printRecords(options: PrintRecordsOptions): Promise<number> {
  const { consumer, encode, limit, oneByOne, progress } = options;
  let taken = 0;
  let printed = 0;
  let failure: { readonly error: unknown } | undefined;
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      await Promise.race([output.abandon(), unreferencedDelay(PATIENCE_AT_STOP_MS)]);
      await consumer.close();
    })();
    return stopping;
  };
  const stopAside = (): void => {
    // The loop ends by it, and the end of this function waits for it and throws what it throws.
    stop().catch(() => {});
  };
  const output = createPieceOutput({
    write: writeToStandardOutput,
    pieceBytes: oneByOne ? 1 : PIECE_BYTES,
    onWritten(last, count) {
      printed += count;
      progress.update(printed);
      if (consumer.strategy !== "none") for (const record of last) consumer.commit(record);
    },
    onFailure(error) {
      failure ??= { error };
      stopAside();
    },
  });
  const signals = stopOnSignals(stopAside);
  const reader = watchReader(stopAside);
  try {
    for await (const record of consumer) {
      if (stopping !== undefined) break;
      const full = output.add(record, encode(record));
      taken += 1;
      if (full !== undefined) await signals.unlessReceived(full);
      if (taken === limit || stopping !== undefined) break;
    }
    if (stopping === undefined) await signals.unlessReceived(output.drain());
  } catch (error) {
    // What ends a stopped loop is its own end.
    if (stopping === undefined) failure = { error };
  }
  try {
    // Ctrl-C during the last flush waits for it, too.
    await stop();
  } catch (error) {
    failure ??= { error };
  } finally {
    signals.release();
    reader.release();
  }
  progress.end();
  if (failure !== undefined && !(failure.error instanceof BrokenPipe)) throw failure.error;
  return printed;
}

async function unreferencedDelay(milliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, milliseconds).unref());
}
