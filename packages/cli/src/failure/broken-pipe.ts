/**
 * The reader of standard output has seen enough (`| head`). A class of its own, because a store's connection that breaks is
 * an `EPIPE` too, and that is a failure.
 */
export class BrokenPipe extends Error {
  override readonly name = "BrokenPipe";
}
