import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const PREFIX = "tidemark-import-from-folder:";

/**
 * Imports a package or a relative module as a file in that folder would.
 *
 * An `import()` written here would look beside this package, which may be installed globally; `require.resolve` with a
 * folder does not see what a package exports to `import` alone.
 */
export async function importFromFolder(folder: string, specifier: string): Promise<unknown> {
  const parentURL = pathToFileURL(join(folder, "/")).href;
  const hooks = registerHooks({
    resolve: (wanted, context, nextResolve) =>
      wanted.startsWith(PREFIX)
        ? nextResolve(wanted.slice(PREFIX.length), { ...context, parentURL })
        : nextResolve(wanted, context),
  });
  try {
    return await import(PREFIX + specifier);
  } finally {
    hooks.deregister();
  }
}

/** Whether an import failed because this very module is not there, rather than something that it needs itself. */
export function isNotInstalled(error: unknown, specifier: string): boolean {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_MODULE_NOT_FOUND") return false;
  return error.message.startsWith(`Cannot find package '${specifier}'`) || isMissingFile(error, specifier);
}

/** Gives the package that an import lacked, itself or one that it needs; `undefined` if it failed for another reason. */
export function missingPackage(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_MODULE_NOT_FOUND") return undefined;
  return /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
}

function isMissingFile(error: Error, specifier: string): boolean {
  const file = specifier.replace(/^(\.{0,2}\/)+/, "");
  return error.message.startsWith("Cannot find module '") && error.message.split("'")[1]?.endsWith(file) === true;
}
