import type { LogSource, LogUrlOpener } from "@tidemark/core";
import { withUsageErrors } from "../failure/with-usage-errors.ts";
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

/** Opens the log that a URL names. */
export async function openLogByUrl(url: string, sources: PluginSources): Promise<LogSource> {
  const opener = await findUrlOpener(logRegistry, url, sources);
  return await withUsageErrors(() => opener.open(url));
}
