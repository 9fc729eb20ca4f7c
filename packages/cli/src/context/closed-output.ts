import { fstatSync, readSync, statSync } from "node:fs";
import { CommandFailure } from "../failure/command-failure.ts";

/**
 * Fails where standard output was closed before the process began (`>&-`). Node then opens the null device in its place, for
 * reading too, and every write succeeds; a shell's `>/dev/null` opens it for writing alone. A program that opens the null device for
 * both, as many do that ignore the output of a child, looks the same and is refused too.
 *
 * @param loss - What would be lost, and what to do instead.
 * @throws CommandFailure
 */
export function requireOpenOutput(loss: string): void {
  if (isReplacedOutput()) throw new CommandFailure(`standard output is closed or ignored: ${loss}`);
}

function isReplacedOutput(): boolean {
  try {
    const output = fstatSync(1);
    if (!output.isCharacterDevice() || output.rdev !== statSync("/dev/null").rdev) return false;
    // The null device has nothing to read, and refuses to be read if it is open for writing alone.
    readSync(1, Buffer.alloc(1));
    return true;
  } catch {
    return false;
  }
}
