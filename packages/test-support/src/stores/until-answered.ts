import { OffsetStoreError } from "@tidemark/core";

/**
 * Makes a call again while it is not answered in time, as its caller would: for what has to succeed before a test of a short
 * time-out begins. The limit of the test ends it.
 */
export async function untilAnswered<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof OffsetStoreError) || error.code !== "TIMEOUT") throw error;
    }
  }
}
