/** A life that runs: a process, or in memory what comes nearest to one. */
export interface Life {
  /** Its number in the round. */
  readonly worker: number;
  /** Resolves when its claim was answered, or it ended. */
  readonly ready: Promise<void>;
  /** Resolves when it ended: by itself, fenced, or killed. */
  readonly over: Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Tells it that another was started in its place: it is not to begin another session. */
  replaced(): void;
  /** Asks it to close in peace. */
  leave(): void;
}
