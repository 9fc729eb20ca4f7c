import { createInterface } from "node:readline/promises";
import { CommandFailure } from "../failure/command-failure.ts";
import { visibleLines } from "../text/visible-text.ts";

/**
 * Asks the person at the terminal whether to do what cannot be undone. Without a terminal, in a script, it is done.
 *
 * @param toQuestion - Makes the question, with its mark; only where it is asked. `undefined`: there is nothing to ask.
 * @throws CommandFailure unless the answer is yes.
 */
export async function confirm(toQuestion: () => Promise<string | undefined>): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return;
  const question = await toQuestion();
  if (question === undefined) return;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const { promise: left, resolve } = Promise.withResolvers<string>();
  // Ctrl-D.
  terminal.once("close", () => resolve(""));
  try {
    const answer = await Promise.race([terminal.question(`${visibleLines(question)} [y/N] `), left]);
    if (/^y(?:es)?$/i.test(answer.trim())) return;
  } catch (error) {
    // Ctrl-C.
    if (!(error instanceof Error) || error.name !== "AbortError") throw error;
    process.stderr.write("\n");
  } finally {
    terminal.close();
  }
  throw new CommandFailure("nothing was deleted");
}
