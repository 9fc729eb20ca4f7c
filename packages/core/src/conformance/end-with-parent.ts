import { Worker } from "node:worker_threads";

/** Milliseconds for stores to close when the process ends, or has to. */
export const CLOSING_MS = 5_000;

/**
 * Kills this process when the one that started it has been gone for as long as stores have to close. A store that never
 * gives its thread back does not hear of it, so that another thread looks.
 */
export function endWithParent(): void {
  const { pid, ppid } = process;
  // In a process whose parent is gone, POSIX gives it another one; elsewhere nothing has that number any more.
  const program = `
    const isGone = () => {
      if (process.ppid !== ${ppid}) return true;
      try {
        return !process.kill(${ppid}, 0);
      } catch (error) {
        return error.code === "ESRCH";
      }
    };
    const timer = setInterval(() => {
      if (!isGone()) return;
      clearInterval(timer);
      setTimeout(() => process.kill(${pid}, "SIGKILL"), ${CLOSING_MS});
    }, 500);`;
  // The parent's options may load what this thread has no use for.
  new Worker(program, { eval: true, execArgv: [] }).unref();
}
