/** How long the log or the store may take over something that the command can do without. */
const PATIENCE_MS = 5_000;
/** A process that stood still loses a step of its patience, not all of it: the answer may be there already. */
const STEP_MS = 500;

/** Why something was not waited for any longer. */
export class OutOfPatienceError extends Error {
  override readonly name = "OutOfPatienceError";

  constructor(patienceMs = PATIENCE_MS) {
    super(`the log did not answer within ${patienceMs / 1_000} s`);
  }
}

/** How something is waited for. */
export interface PatienceOptions {
  /** Default 5,000. */
  readonly patienceMs?: number | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gives up after a while, also on what does not listen to its signal.
 *
 * @throws OutOfPatienceError when the time is over.
 */
export async function withPatience<Answer>(
  ask: (signal: AbortSignal) => Promise<Answer>,
  { patienceMs = PATIENCE_MS, signal }: PatienceOptions = {},
): Promise<Answer> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  const giveUp = (reason: unknown): void => {
    reject(reason);
    controller.abort(reason);
  };
  const onAbort = (): void => giveUp(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  let leftMs = patienceMs;
  const timer = setInterval(() => {
    leftMs -= STEP_MS;
    if (leftMs > 0) return;
    clearInterval(timer);
    giveUp(new OutOfPatienceError(patienceMs));
  }, STEP_MS);
  const answer = (async () => await ask(controller.signal))();
  // It may still fail after the wait has ended.
  answer.catch(() => {});
  try {
    return await Promise.race([answer, gaveUp]);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
