import { stopOnSignals } from "../consume/stop-on-signals.ts";
import { CommandFailure } from "../../failure/command-failure.ts";

/** Standard input until it ends. */
export interface StandardInput {
  /** Throws a `CommandFailure` when a signal ends it before its own end. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Gives the signals back. */
  close(): void;
}

/** Reads standard input. The first signal that asks to stop ends it, so that whole lines are written; the second ends the process. */
export function readStandardInput(): StandardInput {
  let interrupted = false;
  const signals = stopOnSignals(() => {
    interrupted = true;
    process.stdin.destroy();
  });
  return {
    chunks: {
      async *[Symbol.asyncIterator]() {
        try {
          for await (const chunk of process.stdin) yield chunk as Uint8Array;
        } catch (error) {
          // A stream that is destroyed while it is read says that it closed too early. That was the intention.
          if (!interrupted) throw error;
        }
        if (interrupted) throw new CommandFailure("stopped before the input ended");
      },
    },
    close() {
      signals.release();
    },
  };
}
