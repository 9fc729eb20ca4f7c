import { UsageError } from "./usage-error.ts";

/** Does what the user described: what it calls a wrong argument (`TypeError`, `RangeError`) is then a wrong usage. */
export async function withUsageErrors<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  }
}
