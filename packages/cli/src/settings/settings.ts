import { join } from "node:path";
import type { OutputFormat } from "../output/output-format.ts";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { configFolder, dataFolder, valueOf, type Environment } from "./folders.ts";

/** The options that every command takes, as the command line gives them. */
export interface GlobalOptions {
  readonly store?: string;
  readonly namespace?: string;
  readonly log?: string;
  readonly output?: OutputFormat;
  readonly plugin?: readonly string[];
  readonly config?: string;
  readonly verbose?: boolean;
}

/** What holds for one run of the command line. */
export interface Settings {
  /** The store's URL; `undefined`: the file in the user's data folder. */
  readonly store: string | undefined;
  readonly namespace: string | undefined;
  /** The log's URL; `undefined`: the file in the user's data folder. */
  readonly log: string | undefined;
  /** What the config file tells of logs beside their URLs, by scheme, and the folder that it is in. */
  readonly logOptions: NonNullable<ConfigFile["logOptions"]>;
  readonly configFolder: string;
  readonly output: OutputFormat;
  readonly plugins: readonly string[];
  /** The one file that keeps both log and positions where nothing else is said. */
  readonly defaultFile: string;
  readonly verbose: boolean;
}

/** Puts the settings together: an option goes before the environment, that before the config file, that before the default. */
export async function resolveSettings(
  options: GlobalOptions,
  environment: Environment,
  workingFolder: string,
): Promise<Settings> {
  const file = await readConfigFile(options.config ?? valueOf(environment, "TIDEMARK_CONFIG"), [
    workingFolder,
    configFolder(environment),
  ]);
  return {
    store: options.store ?? valueOf(environment, "TIDEMARK_STORE") ?? file.store,
    namespace: options.namespace ?? valueOf(environment, "TIDEMARK_NAMESPACE") ?? file.namespace,
    log: options.log ?? valueOf(environment, "TIDEMARK_LOG") ?? file.log,
    logOptions: file.logOptions ?? {},
    configFolder: file.folder ?? workingFolder,
    output: options.output ?? file.output ?? "table",
    plugins: options.plugin ?? namesIn(valueOf(environment, "TIDEMARK_PLUGINS")) ?? file.plugins ?? [],
    defaultFile: join(dataFolder(environment), "tidemark.db"),
    verbose: options.verbose === true || environment["DEBUG"] === "tidemark",
  };
}

function namesIn(list: string | undefined): string[] | undefined {
  return list
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
