import type { Consumer, ConsumerOptions } from "@tidemark/core";
import type { Command } from "commander";
import { contextOf, type CommandContext } from "../../context/command-context.ts";
import { requireOpenOutput } from "../../context/closed-output.ts";
import { sayWithHelp } from "../../context/say-with-help.ts";
import { say } from "../../context/standard-streams.ts";
import { UsageError } from "../../failure/usage-error.ts";
import { withUsageErrors } from "../../failure/with-usage-errors.ts";
import { examples } from "../examples.ts";
import {
  collectPartition,
  limitOf,
  parseCount,
  parseMilliseconds,
  parseName,
  parseTtl,
  type LimitOption,
} from "../option-values.ts";

interface ConsumeOptions {
  readonly consumer?: string;
  readonly partition?: readonly number[];
  readonly all?: boolean;
  readonly share?: boolean;
  readonly takeover?: boolean;
  readonly start?: string;
  readonly resetPolicy?: string;
  readonly flush?: number;
  readonly ttl?: LimitOption;
  readonly untilEnd?: boolean;
  readonly count?: number;
}

/** `tidemark consume NAME`. */
export function addConsumeCommand(program: Command): void {
  program
    .command("consume")
    .description(
      "Print the records of a topic, each value on a line, and wait for more. With --consumer it continues after the last record that was printed under that name.",
    )
    .argument("<topic>", "the topic's name", parseName)
    .option(
      "-c, --consumer <name>",
      "the durable name that the position is stored under (default: no position is stored)",
      parseName,
    )
    .option("-p, --partition <number>", "read this partition, may repeat (default: 0)", collectPartition)
    .option("--all", "read all partitions, also those added later")
    .option("--share", "divide all partitions with the other processes that use the same name and --share")
    .option("--takeover", "take the partitions from the process that holds them (default: fail if they are held)")
    .option("--start <position>", "where to begin if no position is stored (default: as --reset-policy chooses)")
    .option("--reset-policy <policy>", 'where to continue if the position no longer exists (default: "earliest")')
    .option(
      "--flush <ms>",
      "milliseconds between writes of the positions; 0: write before the next record (default: 3000)",
      parseMilliseconds,
    )
    .option(
      "--ttl <duration>",
      'how long the position lives unless renewed, or "none" (default: what is stored, then the topic\'s)',
      parseTtl,
    )
    .option("--until-end", "stop at the end that the topic had when the command started")
    .option("-n, --count <number>", "stop after this many records", parseCount)
    .addHelpText(
      "after",
      `
Positions for --start: 42 (an offset), beginning, end, beginning+10, end-10, 2026-01-31T08:00:00Z, or a policy.
Policies: earliest, latest, last-offset, nearest, none, by_duration:PT1H, at_timestamp:2026-01-31T08:00:00Z, or a module ./my-policy.js.
Ctrl-C stores the position of what was printed and exits with 0; pressed twice it exits at once, without storing it.
${examples(
  "consume orders",
  "consume orders --consumer billing --all --ttl 24h",
  "consume orders -c billing --share",
  "consume orders -c audit -p 0 -p 1 --start end-10 -O json",
  "consume orders -c nightly --all --until-end > orders.txt",
)}`,
    )
    .action(async (topic: string, options: ConsumeOptions, command: Command) => {
      checkCombination(options);
      const context = await contextOf(command);
      const { consumer: name } = options;
      if (name !== undefined) {
        requireOpenOutput(
          `the records would be lost, and the position of consumer ${JSON.stringify(name)} would move past them; open standard output, or redirect it to /dev/null to drop the records`,
        );
      }
      await using log = await context.openLogThatIsThere();
      if (name === undefined) return await consume(context, topic, options, { source: log, topic });
      await using store = await context.openStore();
      sayWherePositionsAre(context);
      await consume(context, topic, options, { source: log, topic, store, consumer: name, strategy: "manual" });
    });
}

/** Who names a log of their own and forgets the store would be another consumer, and read all of it again. */
function sayWherePositionsAre({ settings }: CommandContext): void {
  if (settings.store !== undefined || settings.log === undefined) return;
  say(`the position is stored in ${settings.defaultFile()}; --store names another place`);
}

function checkCombination({ consumer, partition, all, share, takeover, flush, ttl }: ConsumeOptions): void {
  if (share === true && partition !== undefined) throw new UsageError("--share and --partition exclude each other");
  if (share === true && takeover === true) throw new UsageError("--share and --takeover exclude each other");
  if (all === true && partition !== undefined) throw new UsageError("--all and --partition exclude each other");
  if (consumer !== undefined) return;
  if (share === true) throw new UsageError("--share needs --consumer: without a name there is nothing to share");
  if (takeover === true) throw new UsageError("--takeover needs --consumer: without a name nothing is held");
  if (ttl !== undefined) throw new UsageError("--ttl needs --consumer: without a name no position is stored");
  if (flush !== undefined) throw new UsageError("--flush needs --consumer: without a name no position is stored");
}

async function consume(
  context: CommandContext,
  topic: string,
  options: ConsumeOptions,
  basics: ConsumerOptions,
): Promise<void> {
  const { choosePartitions } = await import("./choose-partitions.ts");
  const { eventMessage } = await import("./event-message.ts");
  const { createFirstStarts } = await import("./first-starts.ts");
  const { resolvePolicy } = await import("./reset-policy.ts");
  const { parseStartPosition } = await import("./start-position.ts");
  const { printRecords } = await import("./print-records.ts");
  const { createRecordEncoder } = await import("./record-encoder.ts");
  const { reportProgress } = await import("../progress.ts");
  const { createConsumer } = await import("@tidemark/core");
  const wish = { partitions: options.partition, all: options.all === true || options.share === true };
  const telling = { start: options.start, verbose: context.settings.verbose };
  const start = options.start === undefined ? undefined : await parseStartPosition(options.start);
  const resetPolicy =
    options.resetPolicy === undefined ? undefined : await resolvePolicy("--reset-policy", options.resetPolicy);
  const partitions = await choosePartitions(basics.source, topic, wish, say);
  const sharing = options.share === true ? "balanced" : options.takeover === true ? "takeover" : "standby";
  const { store, consumer: name } = basics;
  if (sharing === "standby" && store !== undefined && name !== undefined) {
    const { waitForHolder } = await import("./wait-for-holder.ts");
    const numbers = partitions ?? (await basics.source.partitions(topic));
    await waitForHolder(
      store,
      numbers.map((partition) => ({ consumer: name, topic, partition })),
      say,
    );
  }
  const tellFirstStart = createFirstStarts(name ?? "", context.settings.verbose, say);
  const all: ConsumerOptions = {
    ...{ ...basics, partitions, sharing },
    start,
    resetPolicy,
    flushInterval: options.flush,
    ttl: options.ttl === undefined ? undefined : limitOf(options.ttl),
    untilEnd: options.untilEnd,
    onEvent(event) {
      if (event.type === "started" && name !== undefined) return tellFirstStart(event);
      const message = eventMessage(event, telling);
      if (message !== undefined) sayWithHelp(message);
    },
  };
  // What the consumer calls a wrong argument, a policy module without timestamp() for one, came from the command line.
  const consumer: Consumer = await withUsageErrors(() => createConsumer(all));
  await printRecords({
    consumer,
    encode: await createRecordEncoder(context.settings.output),
    limit: options.count,
    oneByOne: options.flush === 0,
    progress: reportProgress("read", { isShownItself: true }),
  });
}
