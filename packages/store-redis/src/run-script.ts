import type { Send } from "./redis-connection.ts";
import type { Script } from "./scripts/script.ts";

/**
 * Runs a script by its hash, and by its source where the server does not know it (any more). Each call falls back for
 * itself, so that any number of them may be on their way.
 */
export async function runScript(
  send: Send,
  { sha, source }: Script,
  keys: readonly [string, ...string[]],
  args: readonly string[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await send(keys[0], ["EVALSHA", sha, ...rest]);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
    return send(keys[0], ["EVAL", source, ...rest]);
  }
}
