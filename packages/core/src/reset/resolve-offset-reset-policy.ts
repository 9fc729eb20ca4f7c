import { defaultOffsetResetPolicy, type OffsetResetPolicy } from "../offset-reset-policy.ts";
import { checkOffsetResetPolicy } from "./check-offset-reset-policy.ts";
import { importPolicyModule, isModuleSpecifier } from "./import-policy-module.ts";
import { importNamedPolicies } from "./import-named-policies.ts";

/**
 * Resolves a user's reset policy, and rejects an invalid one. Call it when a consumer is created, so that a wrong
 * policy does not fail only with the first offset out of range.
 *
 * @param given - `undefined`: the default, `earliest`. An object: that policy. A string: a module specifier, if it
 * begins with `./`, `../`, `/`, `file:` or a package's `@scope/`, has another `/`, or ends like a file of JavaScript or
 * TypeScript; relative ones are relative to the working directory, and the module's policy is its export `policy`, its
 * default export, or the module itself. Any other string is a name in `@tidemark/reset-policies`.
 * @throws TypeError if it is not a policy, if there is no such name or module, or if the names are not installed.
 */
export async function resolveOffsetResetPolicy(
  given: OffsetResetPolicy | string | undefined,
): Promise<OffsetResetPolicy> {
  // The default has to work where nothing but core is installed, also by its name.
  if (given === undefined || given === defaultOffsetResetPolicy.name) return defaultOffsetResetPolicy;
  if (typeof given !== "string") return checkOffsetResetPolicy(given, "the reset policy");
  if (isModuleSpecifier(given)) {
    return checkOffsetResetPolicy(await importPolicyModule(given), `policy module ${JSON.stringify(given)}`);
  }
  const { offsetResetPolicyByName, offsetResetPolicyNames } = await importNamedPolicies(given);
  const policy = offsetResetPolicyByName(given);
  if (policy === undefined) {
    const known = offsetResetPolicyNames.join(", ");
    throw new TypeError(
      `there is no reset policy ${JSON.stringify(given)}: known are ${known}; a policy module is written with a path, such as "./my-policy.js"`,
    );
  }
  return checkOffsetResetPolicy(policy, `reset policy ${JSON.stringify(given)}`);
}
