const STEP_MS = 50;

/**
 * Whether a call ends within so many milliseconds of a process that runs: while the process stands still, no time passes
 * here, for its own timers are as late then as what they are to end.
 */
export async function endsWithin(milliseconds: number, call: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<boolean>((resolve) => {
    const step = (left: number): void => {
      if (left <= 0) return resolve(false);
      timer = setTimeout(step, STEP_MS, left - STEP_MS);
    };
    step(milliseconds);
  });
  const hasEnded = (): boolean => true;
  const ended = call.then(hasEnded, hasEnded);
  return Promise.race([ended, tooLate]).finally(() => clearTimeout(timer));
}
