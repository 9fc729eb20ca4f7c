import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { StoreHarness } from "../store/store-harness.ts";
import { Unusable } from "./failure.ts";

const PREFIX = "tidemark-conformance:";

/** What a module has for the kit. */
export interface HarnessModule {
  readonly storeHarness: StoreHarness<unknown>;
  readonly knownDeviations: Readonly<Record<string, string>>;
}

/**
 * Imports a module, as a file in that folder would, and takes its exports `storeHarness`, whose `module` it is, and `knownDeviations`.
 *
 * @throws Unusable if it is not there, cannot be loaded, or exports something else.
 */
export async function importHarness(folder: string, specifier: string): Promise<HarnessModule> {
  const named = JSON.stringify(specifier);
  let module: Record<string, unknown>;
  let url = "";
  try {
    module = (await importFrom(folder, specifier, (found) => (url = found))) as Record<string, unknown>;
  } catch (error) {
    const missing = missingOf(error, specifier, url);
    if (missing !== undefined) throw new Unusable(`${named} could not be found from ${folder}: ${missing}`);
    throw new Unusable(`${named} could not be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { storeHarness, knownDeviations = {} } = module;
  if (storeHarness === undefined) {
    const others = Object.keys(module);
    throw new Unusable(
      `${named} does not export storeHarness, ${others.length === 0 ? "nor anything else" : `only ${others.join(", ")}`}: ` +
        "write `export const storeHarness = { name, connection, open }`",
    );
  }
  const fault = faultOf(storeHarness);
  if (fault !== undefined) throw new Unusable(`storeHarness of ${named} ${fault}`);
  if (!isTextByName(knownDeviations)) {
    throw new Unusable(`knownDeviations of ${named} must be an object: the id of a case, and the reason as text`);
  }
  // With it the kit opens the store in a second process too.
  return { storeHarness: { module: url, ...(storeHarness as StoreHarness<unknown>) }, knownDeviations };
}

/**
 * Imports a package or a relative module as a file in that folder would. A plain `import()` would look beside this package;
 * `require.resolve` with a folder does not see what a package exports to `import` alone.
 *
 * @param onFound - Is given the URL at which the module lies, before it is loaded.
 */
async function importFrom(folder: string, specifier: string, onFound: (url: string) => void): Promise<unknown> {
  const parentURL = pathToFileURL(join(folder, "/")).href;
  const hooks = registerHooks({
    resolve: (wanted, context, nextResolve) => {
      if (!wanted.startsWith(PREFIX)) return nextResolve(wanted, context);
      const found = nextResolve(wanted.slice(PREFIX.length), { ...context, parentURL });
      onFound(found.url);
      return found;
    },
  });
  try {
    return await import(PREFIX + specifier);
  } finally {
    hooks.deregister();
  }
}

/** Why this very module is not there; `undefined` if it is, and something that it needs itself is not. */
function missingOf(error: unknown, specifier: string, url: string): string | undefined {
  // What was found and lacks something of its own is there.
  if (url !== "" || !(error instanceof Error) || !("code" in error) || error.code !== "ERR_MODULE_NOT_FOUND") {
    return undefined;
  }
  return /^\.{0,2}\//.test(specifier)
    ? "there is no such file"
    : `no such package is installed; a file is named with a dot, as in ./${specifier}`;
}

function faultOf(harness: unknown): string | undefined {
  if (typeof harness !== "object" || harness === null) return "must be an object { name, connection, open }";
  const { name, connection, open } = harness as Record<string, unknown>;
  if (typeof name !== "string" || name === "") return "must have a name, for example `postgres`";
  if (connection !== "remote" && connection !== "embedded") return 'must have a connection: "remote" or "embedded"';
  if (typeof open !== "function") return "must have a function open({ namespace, timeout })";
  return undefined;
}

function isTextByName(value: unknown): value is Record<string, string> {
  return typeof value === "object" && value !== null && Object.values(value).every((text) => typeof text === "string");
}
