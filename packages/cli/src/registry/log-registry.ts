import type { LogSource, LogUrlOpener } from "@tidemark/core";
import { CommandFailure } from "../failure/command-failure.ts";
import { withUsageErrors } from "../failure/with-usage-errors.ts";
import { schemeOf } from "./scheme.ts";
import type { PluginSources, UrlRegistry } from "./url-registry.ts";
import { findUrlOpener } from "./url-registry.ts";

const logRegistry: UrlRegistry<LogUrlOpener> = {
  what: "log",
  exportName: "logUrl",
  included: {
    local: async () => (await import("@tidemark/source-local")).logUrl,
  },
  installable: {
    kafka: { name: "@tidemark/source-kafka", peers: [] },
  },
  packagePrefix: "tidemark-log-",
  usage: "local:FILE or kafka://HOST:PORT",
};

/** A config file's settings of logs beside their URLs. */
export interface LogConfig {
  /** By the URL's scheme. */
  readonly logOptions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** That relative paths are of. */
  readonly folder: string;
  /** A log that is not there is not made. */
  readonly mustExist: boolean;
}

/** Opens the log that a URL names. */
export async function openLogByUrl(
  url: string,
  sources: PluginSources,
  { logOptions, folder, mustExist }: LogConfig,
): Promise<LogSource> {
  const opener = await findUrlOpener(logRegistry, url, sources);
  if (mustExist && (await withUsageErrors(async () => opener.exists?.(url))) === false) {
    throw new CommandFailure(`there is no log at ${url}; check the name and the working directory`);
  }
  const scheme = schemeOf(url, logRegistry.what, logRegistry.usage);
  const settings = Object.hasOwn(logOptions, scheme) ? logOptions[scheme] : undefined;
  return await withUsageErrors(() => opener.open(url, settings === undefined ? {} : { settings, folder }));
}
