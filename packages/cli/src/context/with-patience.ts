/** How long the log or the store may take over something that the command can do without. */
const PATIENCE_MS = 5_000;
/** A process that stood still loses a step of its patience, not all of it: the answer may be there already. */
const STEP_MS = 500;

/** Gives up after a while, also on what does not listen to its signal. */
export async function withPatience<Answer>(ask: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
  const controller = new AbortController();
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  let leftMs = PATIENCE_MS;
  const timer = setInterval(() => {
    leftMs -= STEP_MS;
    if (leftMs > 0) return;
    clearInterval(timer);
    const error = new Error(`the log did not answer within ${PATIENCE_MS / 1_000} s`);
    reject(error);
    controller.abort(error);
  }, STEP_MS);
  const answer = ask(controller.signal);
  // It may still fail after the wait has ended.
  answer.catch(() => {});
  try {
    return await Promise.race([answer, gaveUp]);
  } finally {
    clearInterval(timer);
  }
}
