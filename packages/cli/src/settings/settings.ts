import { join } from "node:path";
import { CommandFailure } from "../failure/command-failure.ts";
import { messageOf, oneLine } from "../failure/report-failure.ts";
import { UsageError } from "../failure/usage-error.ts";
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
  /** The config file's settings of logs beside their URLs, by scheme, and the folder that it is in. */
  readonly logOptions: NonNullable<ConfigFile["logOptions"]>;
  readonly configFolder: string;
  readonly output: OutputFormat;
  readonly plugins: readonly string[];
  /** The one file that keeps both log and positions where nothing else is said. Throws for a user without a home: ask where it is needed. */
  readonly defaultFile: () => string;
  readonly verbose: boolean;
}

/** Puts the settings together: an option goes before the environment, that before the config file, that before the default. */
export async function resolveSettings(
  options: GlobalOptions,
  environment: Environment,
  workingFolder: string,
): Promise<Settings> {
  const config = options.config ?? settingOf(environment, "TIDEMARK_CONFIG");
  const folders = [workingFolder, configFolder(environment)].filter((folder) => folder !== undefined);
  const file = await readConfigFile(config, folders);
  return {
    store: checkUrl("store", options.store ?? settingOf(environment, "TIDEMARK_STORE") ?? file.store),
    namespace: options.namespace ?? settingOf(environment, "TIDEMARK_NAMESPACE") ?? file.namespace,
    log: checkUrl("log", options.log ?? settingOf(environment, "TIDEMARK_LOG") ?? file.log),
    logOptions: file.logOptions ?? {},
    configFolder: file.folder ?? workingFolder,
    output: options.output ?? file.output ?? "table",
    plugins: options.plugin ?? namesIn(settingOf(environment, "TIDEMARK_PLUGINS")) ?? file.plugins ?? [],
    defaultFile: () => defaultFile(environment),
    verbose: options.verbose === true || environment["DEBUG"] === "tidemark",
  };
}

/** A setting that the environment gives. A file of a secret ends with a line break, which is no part of it. */
function settingOf(environment: Environment, name: string): string | undefined {
  const value = valueOf(environment, name)?.replace(/[\r\n]+$/, "");
  return value === "" ? undefined : value;
}

/** A mistyped URL would silently name another file, which is empty. Never says more of the URL: it may hold a password. */
function checkUrl(what: "store" | "log", url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  if (url.endsWith(" "))
    throw new UsageError(`the ${what}'s URL ends with a space; write it as %20 if it belongs there`);
  const [control] = /\p{Cc}/u.exec(url) ?? [];
  if (control === undefined) return url;
  const hex = (control.codePointAt(0) ?? 0).toString(16).toUpperCase();
  throw new UsageError(
    `the ${what}'s URL has the character U+${hex.padStart(4, "0")}; write it as ${encodeURIComponent(control)} if it belongs there`,
  );
}

function defaultFile(environment: Environment): string {
  try {
    return join(dataFolder(environment), "tidemark.db");
  } catch (error) {
    const why = oneLine(messageOf(error)).replace("A system error occurred: ", "");
    throw new CommandFailure(
      `this user has no home folder for the default file (${why}); give --store and --log, or set HOME`,
      { cause: error },
    );
  }
}

function namesIn(list: string | undefined): string[] | undefined {
  return list
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
