import { pathToFileURL } from "node:url";
import type { OffsetResetPolicy } from "../offset-reset-policy.ts";
import { importModule, resolveFromWorkingDirectory } from "./import-policy-module.ts";

/** What `@tidemark/reset-policies` offers to look a policy up by its name. */
export interface NamedPolicies {
  /** The policy of that name, or `undefined`; throws a TypeError if what follows the name's colon is wrong. */
  offsetResetPolicyByName(name: string): OffsetResetPolicy | undefined;
  /** How the names are written, for messages. */
  readonly offsetResetPolicyNames: readonly string[];
}

// A variable, not a literal: core depends on nothing, so neither the compiler nor a bundler may look for this package.
const companion: string = "@tidemark/reset-policies";

/**
 * Imports the package of the named policies, from core's own place or else from the working directory.
 *
 * @param wanted - The name that it is for; the message names it if the package is not installed.
 * @throws TypeError if the package is not installed.
 */
export async function importNamedPolicies(wanted: string): Promise<NamedPolicies> {
  const module = (await importCompanion()) ?? (await importCompanionOfWorkingDirectory());
  if (module === undefined) {
    throw new TypeError(
      `reset policy ${JSON.stringify(wanted)} is looked up in the package ${companion}, which is not installed: run \`npm install ${companion}\`, or pass the policy as an object`,
    );
  }
  return module as unknown as NamedPolicies;
}

async function importCompanion(): Promise<Record<string, unknown> | undefined> {
  try {
    return await importModule(companion);
  } catch (error) {
    if (isNotInstalled(error)) return undefined;
    throw error;
  }
}

// Strict package managers do not let core see what the user installed next to it.
async function importCompanionOfWorkingDirectory(): Promise<Record<string, unknown> | undefined> {
  let path: string;
  try {
    path = resolveFromWorkingDirectory(companion);
  } catch (error) {
    if (isNotInstalled(error)) return undefined;
    throw error;
  }
  return await importModule(pathToFileURL(path).href);
}

// A companion that is there and lacks something of its own is another matter: what its message quotes is another package.
function isNotInstalled(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  const codes: readonly unknown[] = ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"];
  return codes.includes(error.code) && error.message.includes(`'${companion}'`);
}
