import type { OffsetResetPolicy } from "@tidemark/core";
import { UsageError } from "../../failure/usage-error.ts";

/**
 * Gives the policy of a name, or the text itself if it names a module, which the consumer then loads and checks.
 *
 * Names are looked up here, where the package of the policies is at hand wherever this one is installed.
 *
 * @param option - What to call it in messages, for example `--reset-policy`.
 * @param others - What else the option takes, for the message.
 * @throws UsageError if it is neither.
 */
export async function resolvePolicy(
  option: string,
  text: string,
  others: readonly string[] = [],
): Promise<OffsetResetPolicy | string> {
  const { offsetResetPolicyByName, offsetResetPolicyNames } = await import("@tidemark/reset-policies");
  let policy: OffsetResetPolicy | undefined;
  try {
    policy = offsetResetPolicyByName(text);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${option}: ${error.message}`, { cause: error });
    throw error;
  }
  if (policy !== undefined) return policy;
  if (/[/\\]/.test(text) || /\.[cm]?[jt]s$/.test(text)) return text;
  throw new UsageError(
    `${option} ${JSON.stringify(text)} is not known: known are ${[...others, ...offsetResetPolicyNames].join(", ")}, or a module like ./my-policy.js`,
  );
}
