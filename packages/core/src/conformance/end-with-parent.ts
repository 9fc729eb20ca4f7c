import { Worker } from "node:worker_threads";

/** Milliseconds for stores to close when the process ends, or has to. */
export const CLOSING_MS = 5_000;

/**
 * Kills this process when its parent has been gone for as long as stores have to close. A store that never gives its thread back
 * does not hear of it, so that another thread looks.
 *
 * @param parent - The process that started this one, as it says itself: it may be gone already.
 */
export function endWithParent(parent: number): void {
  // In a process whose parent is gone, POSIX gives it another one; elsewhere nothing has that number any more.
  const program = `
    const isGone = () => {
      if (process.platform !== "win32") return process.ppid !== ${parent};
      try {
        return !process.kill(${parent}, 0);
      } catch (error) {
        return error.code === "ESRCH";
      }
    };
    const kill = () => {
      if (isGone()) process.kill(${process.pid}, "SIGKILL");
    };
    setInterval(() => {
      if (isGone()) setTimeout(kill, ${CLOSING_MS});
    }, 500);`;
  try {
    // What the parent's options and the environment have Node load may not work in a thread.
    const watching = new Worker(program, { eval: true, execArgv: [], env: {} });
    watching.on("error", () => {}).unref();
  } catch {
    // Where there may be no threads, who does give its thread back still hears of it.
  }
}
