/** Standard input until it ends, or until Ctrl-C. */
export interface StandardInput {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Whether a signal ended it. */
  interrupted(): boolean;
  /** Gives the signals back. */
  close(): void;
}

/** Reads standard input. The first Ctrl-C or SIGTERM ends it, so that what came is written; the second ends the process. */
export function readStandardInput(): StandardInput {
  let interrupted = false;
  const onSignal = (): void => {
    if (interrupted) process.exit(130);
    interrupted = true;
    process.stdin.destroy();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    chunks: {
      async *[Symbol.asyncIterator]() {
        try {
          for await (const chunk of process.stdin) yield chunk as Uint8Array;
        } catch (error) {
          // A stream that is destroyed while it is read says that it closed too early. That was the intention.
          if (!interrupted) throw error;
        }
      },
    },
    interrupted: () => interrupted,
    close() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
