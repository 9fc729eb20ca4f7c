import { OffsetStoreError } from "@tidemark/core";

const ATTEMPTS = 5;

/**
 * Makes a call again while it is not answered in time, five times at most, as its caller would: for what has to succeed before
 * a test of a short time-out begins.
 */
export async function untilAnswered<Answer>(call: () => Promise<Answer>, attempts = ATTEMPTS): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    const isLate = error instanceof OffsetStoreError && error.code === "TIMEOUT";
    if (!isLate || attempts === 1) throw error;
    return untilAnswered(call, attempts - 1);
  }
}
