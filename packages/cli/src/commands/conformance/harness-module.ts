import type { StoreHarness } from "@tidemark/core/conformance";
import { messageOf } from "../../failure/report-failure.ts";
import { importWithUrl, isNotInstalled } from "../../registry/import-from-folder.ts";

/** What a module has for the kit. */
export interface HarnessModule {
  readonly storeHarness: StoreHarness<unknown>;
  readonly knownDeviations: Readonly<Record<string, string>>;
}

/** The module is of no use to the kit. The message says what it lacks, as one line. */
export class UnusableModule extends Error {
  override readonly name = "UnusableModule";
}

/**
 * Imports a module, as a file in that folder would, and takes its exports `storeHarness`, whose `module` it is, and `knownDeviations`.
 *
 * @throws UnusableModule if it is not there, cannot be loaded, or exports something else.
 */
export async function importHarness(folder: string, specifier: string): Promise<HarnessModule> {
  const named = JSON.stringify(specifier);
  let module: Record<string, unknown>;
  let url: string;
  try {
    const imported = await importWithUrl(folder, specifier);
    module = imported.module as Record<string, unknown>;
    url = imported.url;
  } catch (error) {
    if (!isNotInstalled(error, specifier))
      throw new UnusableModule(`${named} could not be loaded: ${messageOf(error)}`);
    const advice = /^\.{0,2}\//.test(specifier)
      ? "there is no such file"
      : `no such package is installed; a file is named with a dot, as in ./${specifier}`;
    throw new UnusableModule(`${named} could not be found from ${folder}: ${advice}`);
  }
  const { storeHarness, knownDeviations = {} } = module;
  if (storeHarness === undefined) {
    const others = Object.keys(module);
    throw new UnusableModule(
      `${named} does not export storeHarness, ${others.length === 0 ? "nor anything else" : `only ${others.join(", ")}`}: ` +
        "write `export const storeHarness = { name, connection, open }`",
    );
  }
  const fault = faultOf(storeHarness);
  if (fault !== undefined) throw new UnusableModule(`storeHarness of ${named} ${fault}`);
  if (!isTextByName(knownDeviations)) {
    throw new UnusableModule(`knownDeviations of ${named} must be an object: the id of a case, and the reason as text`);
  }
  // With it the kit opens the store in a second process too.
  return { storeHarness: { module: url, ...(storeHarness as StoreHarness<unknown>) }, knownDeviations };
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
