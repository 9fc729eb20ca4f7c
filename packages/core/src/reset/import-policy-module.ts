import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const fileEnding = /\.[cm]?[jt]s$/;
// `@scope/name`, `name/subpath`: a slash, and no colon before it, which no policy's name has.
const packagePath = /^(@[^/:]+\/|[^/:]+\/)./;

/** Whether a text is a module specifier, not a policy's name. */
export function isModuleSpecifier(text: string): boolean {
  return (
    /^\.{1,2}\//.test(text) ||
    text.startsWith("file:") ||
    isAbsolute(text) ||
    fileEnding.test(text) ||
    packagePath.test(text)
  );
}

/**
 * Imports a module and picks what it offers as a policy: its export `policy`, its default export, or the module itself.
 * Whether that is a policy is for the caller to check.
 *
 * @throws TypeError if the module cannot be loaded; its `cause` says why.
 */
export async function importPolicyModule(specifier: string): Promise<unknown> {
  let module: Record<string, unknown>;
  try {
    module = await importFrom(specifier);
  } catch (error) {
    throw new TypeError(`policy module ${JSON.stringify(specifier)} could not be loaded: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return module["policy"] ?? ("timestamp" in module ? module : module["default"]) ?? module;
}

// Node also names the importing file. If that is this file or the stand-in of the working directory, it leads the reader astray.
function reasonOf(error: unknown): string {
  const told = error instanceof Error ? error.message : String(error);
  const askedByUs = ` imported from ${fileURLToPath(import.meta.url)}`;
  const reason = told.endsWith(askedByUs) ? told.slice(0, -askedByUs.length) : told;
  return reason.replace(/\nRequire stack:\n- [^\n]*noop\.js$/, "");
}

async function importFrom(specifier: string): Promise<Record<string, unknown>> {
  if (specifier.startsWith("file:")) return importModule(specifier);
  if (/^\.{1,2}\//.test(specifier) || isAbsolute(specifier)) return importModule(fileUrl(specifier));
  // `my-policy.js` may be meant as a file, `a-package/policy.js` as a part of a package: the file goes first.
  if (!specifier.startsWith("@") && existsSync(resolve(specifier))) return importModule(fileUrl(specifier));
  return importModule(urlOfPackage(specifier));
}

function urlOfPackage(specifier: string): string {
  try {
    return pathToFileURL(resolveFromWorkingDirectory(specifier)).href;
  } catch (error) {
    // What only `import` may load is hidden from this kind of look-up, but not from one from core's own place.
    if (error instanceof Error && "code" in error && error.code === "ERR_PACKAGE_PATH_NOT_EXPORTED") return specifier;
    throw error;
  }
}

function fileUrl(path: string): string {
  return pathToFileURL(resolve(path)).href;
}

/**
 * Finds a package as a module in the working directory would.
 *
 * @throws An `Error` with Node's code, for example `MODULE_NOT_FOUND`.
 */
export function resolveFromWorkingDirectory(specifier: string): string {
  return createRequire(join(process.cwd(), "noop.js")).resolve(specifier);
}

/** Imports a module that is known at run time only; bundlers must leave it alone. */
export async function importModule(specifier: string): Promise<Record<string, unknown>> {
  return (await import(/* @vite-ignore */ /* webpackIgnore: true */ specifier)) as Record<string, unknown>;
}
