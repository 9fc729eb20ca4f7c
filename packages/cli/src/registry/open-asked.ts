import { UsageError } from "../failure/usage-error.ts";

/** Opens something that the user described: what the opener calls a wrong argument is then a wrong usage. */
export async function openAsked<Opened>(open: () => Promise<Opened>): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  }
}
