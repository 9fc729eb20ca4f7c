/** There is nothing to test: exit code 2. The message is one line without a full stop. */
export class Unusable extends Error {
  override readonly name = "Unusable";
}

/** A case failed, or not all of them ran: exit code 1. The message is one line without a full stop. */
export class Failed extends Error {
  override readonly name = "Failed";
}
