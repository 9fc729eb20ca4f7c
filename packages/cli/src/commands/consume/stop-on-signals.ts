/** The signals that ask a command to stop, while it listens to them. */
export interface StopSignals {
  /** Resolves at the first signal. */
  readonly received: Promise<void>;
  /** Gives the signals back. */
  release(): void;
}

/** Calls `stop` at the first Ctrl-C or SIGTERM. The second ends the process at once, as a signal does. */
export function stopOnSignals(stop: () => void): StopSignals {
  const { promise: received, resolve } = Promise.withResolvers<void>();
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(signal === "SIGINT" ? 130 : 143);
    isStopping = true;
    resolve();
    stop();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    received,
    release() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
