/** The command line asks for something that makes no sense: exit code 2. The message is one line without a full stop. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
