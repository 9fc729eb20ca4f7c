import type { IncompleteWriteError, WriteStatus } from "@tidemark/core/positions";
import { stopOnSignals } from "../consume/stop-on-signals.ts";
import { reportProgress } from "../progress.ts";

/** How a command watches positions being written. */
export interface Doing {
  readonly signal: AbortSignal;
  readonly onProgress: (doneCount: number) => void;
}

/** What became of each position, and what went wrong. */
export interface Done<Result extends { readonly status: WriteStatus }> {
  readonly results: readonly Result[];
  readonly failure: IncompleteWriteError<Result> | undefined;
}

/** Lets positions be written, or looked at, with progress at a terminal; Ctrl-C ends it after the batch that is on its way. */
export async function showingProgress<Result extends { readonly status: WriteStatus }>(
  what: string,
  run: (doing: Doing) => Promise<readonly Result[]>,
): Promise<Done<Result>> {
  const { IncompleteWriteError: Incomplete } = await import("@tidemark/core/positions");
  const controller = new AbortController();
  const signals = stopOnSignals(() => controller.abort());
  const progress = reportProgress(what, { noun: "position" });
  try {
    const onProgress = (count: number): void => progress.update(count);
    return { results: await run({ signal: controller.signal, onProgress }), failure: undefined };
  } catch (error) {
    if (!(error instanceof Incomplete)) throw error;
    const failure = error as IncompleteWriteError<Result>;
    return { results: failure.results, failure };
  } finally {
    progress.end();
    signals.release();
  }
}
