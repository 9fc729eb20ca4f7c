import { LogSourceError } from "@tidemark/core";

const ATTEMPTS = 20;

/** Opens something; again, twenty times at most, while a log whose time-out is short does not answer in time. */
export async function inTime<Result>(open: () => Promise<Result>, attempts = ATTEMPTS): Promise<Result> {
  try {
    return await open();
  } catch (error) {
    const isLate = error instanceof LogSourceError && error.retryable;
    if (!isLate || attempts === 1) throw error;
    return inTime(open, attempts - 1);
  }
}
