/** The command made sense and could not do its work: exit code 1. The message is one line without a full stop. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}
