import { constants } from "node:os";
import { endWithoutWaiting, hearSignalsWhileWriting } from "../../context/standard-streams.ts";

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The signals that ask a command to stop, while it listens to them. */
export interface StopSignals {
  /** Resolves at the first signal. Not for a race in a loop: each would stay with it. */
  readonly received: Promise<void>;
  /** Settles as the promise does, or resolves at the first signal. One is waited for at a time. */
  unlessReceived(waitedFor: Promise<void>): Promise<void>;
  /** Gives the signals back. */
  release(): void;
}

/**
 * Calls `stop` at the first Ctrl-C, SIGTERM, or end of the terminal (SIGHUP), also while a terminal takes no output. The second
 * ends the process at once, as a signal does.
 */
export function stopOnSignals(stop: () => void): StopSignals {
  const { promise: received, resolve } = Promise.withResolvers<void>();
  let isStopping = false;
  let endWait = (): void => {};
  hearSignalsWhileWriting();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(128 + constants.signals[signal]);
    isStopping = true;
    endWithoutWaiting();
    resolve();
    endWait();
    stop();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return {
    received,
    async unlessReceived(waitedFor) {
      const wait = Promise.withResolvers<void>();
      endWait = wait.resolve;
      if (isStopping) endWait();
      waitedFor.then(wait.resolve, wait.reject);
      await wait.promise;
    },
    release() {
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
    },
  };
}
