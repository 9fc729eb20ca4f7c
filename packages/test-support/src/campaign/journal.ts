import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

/** A position that a store told or was told, by partition; `null` for none. */
export type Positions = readonly (readonly [partition: number, nextOffset: number | null])[];

/** What happened, as the processes of a round write it down. `who` is one session; the campaign itself is `campaign`. */
export type Happening =
  | { readonly what: "claiming" }
  /** The claim was answered. */
  | { readonly what: "claimed"; readonly positions: Positions }
  | { readonly what: "delivered"; readonly partition: number; readonly offset: number }
  /** Worked on: from here on it may be committed. */
  | { readonly what: "done"; readonly partition: number; readonly offset: number }
  /** A commit is about to be sent. */
  | { readonly what: "committing"; readonly call: number; readonly positions: Positions; readonly inside: boolean }
  /** The answer to it: for each entry in the order sent its status, why it was fenced, or its error's code. */
  | { readonly what: "answered"; readonly call: number; readonly statuses: readonly string[] }
  /** The transaction with this record and its position was committed. */
  | { readonly what: "transacted"; readonly partition: number; readonly offset: number }
  | {
      readonly what: "reset";
      readonly partition: number;
      readonly from: number;
      readonly to: number;
      readonly skipped: number;
    }
  | { readonly what: "fenced"; readonly partition: number; readonly reason: string; readonly owner: string | undefined }
  /** The session ended by an error, and its process continues with another. */
  | { readonly what: "broken"; readonly error: string }
  /** The session closed in peace. */
  | { readonly what: "left" }
  /** A session did what none should. */
  | { readonly what: "failed"; readonly error: string }
  // Of the campaign itself:
  | { readonly what: "killed"; readonly worker: number }
  | { readonly what: "frozen"; readonly worker: number }
  | { readonly what: "fault"; readonly kind: string }
  | { readonly what: "healed" }
  /** About to move the log's start. */
  | { readonly what: "retained"; readonly partition: number; readonly before: number }
  /** About to look from outside. */
  | { readonly what: "observing" }
  /** Looked at from outside; `sink` holds what transactions wrote, by partition. */
  | {
      readonly what: "observed";
      readonly positions: Positions;
      readonly sink: readonly (readonly number[])[] | undefined;
    }
  | { readonly what: "gave-up"; readonly why: string };

/** One line of a journal. */
export type JournalEntry = Happening & {
  /** Milliseconds of the machine's monotonic clock: the same for all processes. */
  readonly at: number;
  /** The session, as `WORKER.NUMBER`. */
  readonly who: string;
};

/**
 * A file that all processes of a round append to. A line is in it when `write` returns, also if the process is killed right
 * after; lines of all are in the order in which they were written.
 */
export interface Journal {
  write(who: string, happening: Happening): void;
  close(): void;
}

// No text of an entry has a bare quotation mark, so that this stands at the beginning of a line alone.
const LINE_START = '{"at":';

/** Opens a journal to append to. */
export function openJournal(file: string): Journal {
  const descriptor = openSync(file, "a");
  let isOpen = true;
  return {
    write(who, happening) {
      // Whoever is left behind has no part in what comes after, and the number of the file may be another's.
      if (!isOpen) return;
      const at = Number(process.hrtime.bigint() / 1_000n) / 1_000;
      writeSync(descriptor, `${JSON.stringify({ at, who, ...happening })}\n`);
    },
    close() {
      isOpen = false;
      closeSync(descriptor);
    },
  };
}

/**
 * Reads a journal. A process that is killed in the middle of a write leaves the beginning of a line, and the next process's
 * line comes right after it: the write never returned, so what it would have told did not happen.
 */
export function readJournal(file: string): JournalEntry[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line.slice(line.lastIndexOf(LINE_START))) as JournalEntry);
}
