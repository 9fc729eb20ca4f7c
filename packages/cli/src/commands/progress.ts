/** Shows on a terminal how far a command is. */
export interface Progress {
  /** Says how many records are done. */
  update(recordCount: number): void;
  /** Removes what was shown. */
  end(): void;
}

const SILENT: Progress = { update: () => {}, end: () => {} };
const STEP_MS = 200;

/**
 * Counts records on standard error, if that is a terminal and standard output is not: there the records themselves show.
 *
 * @param doing - What happens to the records, for example `written`.
 */
export function reportProgress(doing: string): Progress {
  if (!process.stderr.isTTY || (process.stdout.isTTY && doing !== "written")) return SILENT;
  let shownAt = performance.now();
  let isShown = false;
  return {
    update(recordCount) {
      const now = performance.now();
      if (now - shownAt < STEP_MS) return;
      shownAt = now;
      isShown = true;
      process.stderr.write(`\r${recordCount} records ${doing}`);
    },
    end() {
      if (isShown) process.stderr.write("\r\u001b[K");
    },
  };
}
