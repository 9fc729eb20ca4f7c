import { isNoScript, withoutArguments } from "./redis-errors.ts";
import type { Script } from "./scripts.ts";

/**
 * Runs a script by its hash, and by its source where the server does not know it (any more). Each call falls back for
 * itself, so that any number of them may be on their way.
 */
export async function runScript(
  send: (args: string[]) => Promise<unknown>,
  { sha, source }: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    try {
      return await send(["EVALSHA", sha, ...rest]);
    } catch (error) {
      if (!isNoScript(error)) throw error;
      return await send(["EVAL", source, ...rest]);
    }
  } catch (error) {
    throw withoutArguments(error);
  }
}
