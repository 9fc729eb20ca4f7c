/** The error that a call throws. */
export function thrownBy(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`something else than an error was thrown: ${String(error)}`, { cause: error });
  }
  throw new Error("nothing was thrown");
}
