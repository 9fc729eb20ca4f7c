import { removePassingLine, showPassingLine } from "../context/standard-streams.ts";

/** Shows on a terminal how far a command is. */
export interface Progress {
  /** Says how many are done. */
  update(count: number): void;
  /** Removes what was shown. */
  end(): void;
}

const SILENT: Progress = { update: () => {}, end: () => {} };
const STEP_MS = 200;

/** What is counted. */
export interface ProgressOptions {
  /** What one of them is called. Default: `record`. */
  readonly noun?: string;
  /** Standard output shows them one by one: on a terminal a count would stand between them. Default: no. */
  readonly isShownItself?: boolean;
}

/**
 * Counts on standard error, if that is a terminal.
 *
 * @param doing - What happens to them, for example `written`.
 */
export function reportProgress(doing: string, options: ProgressOptions = {}): Progress {
  const { noun = "record", isShownItself = false } = options;
  if (!process.stderr.isTTY || (process.stdout.isTTY && isShownItself)) return SILENT;
  let shownAt = performance.now();
  return {
    update(count) {
      const now = performance.now();
      if (now - shownAt < STEP_MS) return;
      shownAt = now;
      showPassingLine(`${count} ${noun}s ${doing}`);
    },
    end: removePassingLine,
  };
}
