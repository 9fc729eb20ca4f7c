import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { LogAdmin, LogProducer, LogSource, OffsetStore } from "@tidemark/core";
import type { OffsetStoreEvent } from "@tidemark/core/driver";
import type { Command } from "commander";
import { BrokenPipe } from "../failure/broken-pipe.ts";
import { CommandFailure } from "../failure/command-failure.ts";
import { messageOf } from "../failure/report-failure.ts";
import { formatData } from "../output/format-data.ts";
import { formatRows } from "../output/format-rows.ts";
import type { OpenStoreOptions } from "../registry/store-registry.ts";
import type { PluginSources } from "../registry/url-registry.ts";
import { resolveSettings, type GlobalOptions, type Settings } from "../settings/settings.ts";
import { sayWithHelp } from "./say-with-help.ts";
import { writeToStandardOutput } from "./standard-streams.ts";
import { storeEventMessage } from "./store-event-message.ts";

/** What a command works with. */
export interface CommandContext {
  readonly settings: Settings;
  /** Opens the store that the settings name, and makes it where it makes one; the command disposes of it. */
  openStore(): Promise<OffsetStore>;
  /**
   * The same for a command that needs what is in it: a store that is named and not there is a failure, and is not made. `advice`:
   * what the failure's message says in addition.
   */
  openStoreThatIsThere(advice?: string): Promise<OffsetStore>;
  /** The same for a command that only looks whether there is something: a store that is named and not there is empty, and is not made. */
  openStoreOrEmpty(): Promise<OffsetStore>;
  /** Opens the log that the settings name, and makes it where it makes one; the command disposes of it. */
  openLog(): Promise<LogSource>;
  /** The same for a command that needs what is in it: a log that is named and not there is a failure, and is not made. */
  openLogThatIsThere(): Promise<LogSource>;
  /**
   * Writes data to standard output in the format asked for, as much as its reader takes: that the reader has left (`| head`) ends
   * neither the command, nor hides what it failed at.
   */
  print(data: unknown, table: () => Promise<string> | string): Promise<void>;
  /** The same for rows that may be many: they are made into what is shown a part at a time. */
  printRows<Row>(rows: readonly Row[], toDocument: (row: Row) => unknown, table: () => Promise<string>): Promise<void>;
}

/** Makes the context of one run, from the command's options and those of the program above it. */
export async function contextOf(command: Command): Promise<CommandContext> {
  const settings = await resolveSettings(command.optsWithGlobals<GlobalOptions>(), process.env, process.cwd());
  const sources: PluginSources = { plugins: settings.plugins, folder: process.cwd() };
  const said = new Set<string>();
  const onEvent = (event: OffsetStoreEvent): void => {
    const message = storeEventMessage(event, settings.verbose);
    // Once is enough, however often the store comes across it.
    if (message === undefined || said.has(message)) return;
    said.add(message);
    sayWithHelp(message);
  };
  const openStore = async (ifMissing: OpenStoreOptions["ifMissing"], advice?: string): Promise<OffsetStore> => {
    const { openStoreByUrl } = await import("../registry/store-registry.ts");
    const { store, namespace } = settings;
    const url = store ?? `sqlite:${await defaultFile(settings)}`;
    const options = { onEvent, ifMissing: store === undefined ? ("make" as const) : ifMissing, advice };
    return await openStoreByUrl(url, { ...options, ...(namespace !== undefined && { namespace }) }, sources);
  };
  const openLog = async (mustExist: boolean): Promise<LogSource> => {
    const { openLogByUrl } = await import("../registry/log-registry.ts");
    const { log, logOptions, configFolder: folder } = settings;
    const config = { logOptions, folder, mustExist: mustExist && log !== undefined };
    return await openLogByUrl(log ?? `local:${await defaultFile(settings)}`, sources, config);
  };
  return {
    settings,
    openStore: () => openStore("make"),
    openStoreThatIsThere: (advice) => openStore("fail", advice),
    openStoreOrEmpty: () => openStore("empty"),
    openLog: () => openLog(false),
    openLogThatIsThere: () => openLog(true),
    async print(data, table) {
      await writeWhileRead([await formatData(settings.output, data, table)]);
    },
    async printRows(rows, toDocument, table) {
      await writeWhileRead(
        settings.output === "table" ? [await table()] : formatRows(settings.output, rows, toDocument),
      );
    },
  };
}

async function writeWhileRead(parts: AsyncIterable<string> | Iterable<string>): Promise<void> {
  try {
    for await (const part of parts) await writeToStandardOutput(part);
  } catch (error) {
    if (!(error instanceof BrokenPipe)) throw error;
  }
}

/** Gives the path of the default file as a part of a URL; the folder is there afterwards. */
async function defaultFile(settings: Settings): Promise<string> {
  const path = settings.defaultFile();
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (error) {
    throw new CommandFailure(
      `the data folder cannot be created: ${messageOf(error)}; name a file with --store and --log`,
      {
        cause: error,
      },
    );
  }
  // The characters that end a URL's path, and the one that escapes.
  return path.replaceAll(/[%?#]/g, encodeURIComponent);
}

/** The log's way to make and remove topics; a failure where it has none. */
export function adminOf(log: LogSource): LogAdmin {
  if (log.admin === undefined) throw new CommandFailure(`the ${log.name} log does not support managing topics`);
  return log.admin;
}

/** The log's way to write records; a failure where it has none. */
export function producerOf(log: LogSource): LogProducer {
  if (log.producer === undefined) throw new CommandFailure(`the ${log.name} log does not support writing records`);
  return log.producer;
}
