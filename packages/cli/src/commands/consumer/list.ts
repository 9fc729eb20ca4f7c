import type { Command } from "commander";
import { contextOf, type CommandContext } from "../../context/command-context.ts";
import { sayWithHelp } from "../../context/say-with-help.ts";
import { say, writeToStandardOutput } from "../../context/standard-streams.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { UsageError } from "../../failure/usage-error.ts";
import { formatTable } from "../../output/table.ts";
import { stopOnSignals } from "../consume/stop-on-signals.ts";
import { examples } from "../examples.ts";
import { once, parseName } from "../option-values.ts";
import { SUMMARY_HEADINGS, summarize, summaryRow } from "./consumer-summary.ts";
import { findPositions, type FoundPositions } from "./find-positions.ts";
import { placeLookedAt } from "./place-looked-at.ts";
import { positionHeadings, positionRow, type PositionDocument } from "./position-document.ts";

const WATCH_MS = 2000;
/** To the first place of the terminal, and all of it empty. */
const CLEAR = "\u001b[H\u001b[2J";

interface ListOptions {
  readonly topic?: string;
  readonly partitions?: boolean;
  readonly watch?: boolean;
}

/** `tidemark consumer list`. */
export function addConsumerListCommand(consumer: Command): void {
  consumer
    .command("list")
    .description("List the consumers, each with its total lag: the number of records after its positions.")
    .option("-t, --topic <name>", "only their positions on this topic", once(parseName))
    .option("--partitions", "one line for each position")
    .option("--watch", `list again every ${WATCH_MS / 1000} s, until Ctrl-C`)
    .addHelpText(
      "after",
      `
With --partitions: the offset of the next record to read, the lag, and the time until the position expires. RESET FROM, shown if one
was reset, is the position before its last reset. "+" after a sum: the lag of some partitions is unknown.
${examples("consumer list", "consumer list --partitions --topic orders", "consumer list --watch", "consumer list -O json")}`,
    )
    .action(async (options: ListOptions, command: Command) => {
      const context = await contextOf(command);
      if (options.watch !== true) return await list(context, options);
      if (context.settings.output !== "table") {
        throw new UsageError("--watch works only with table output; programs can read /metrics of tidemark monitor");
      }
      await watch(context, options);
    });
}

async function list(context: CommandContext, options: ListOptions): Promise<void> {
  const { positions, unreadable } = await find(context, options);
  const { settings } = context;
  if (positions.length === 0 && settings.output === "table") return say(`no consumers${placeLookedAt(settings)}`);
  const data = options.partitions === true ? positions : summarize(positions);
  await context.print(data, () => table(positions, options));
  if (unreadable !== undefined) throw unreadable;
}

/**
 * Each time from the beginning, with connections of its own: what is watched may be down for a while. What fails the first time
 * is the command's failure.
 */
async function watch(context: CommandContext, options: ListOptions): Promise<void> {
  const { setTimeout: delay } = await import("node:timers/promises");
  const controller = new AbortController();
  const { signal } = controller;
  const signals = stopOnSignals(() => controller.abort());
  let hasShown = false;
  let failure: string | undefined;
  try {
    while (!signal.aborted) {
      let found: FoundPositions | undefined;
      try {
        found = await find(context, options, signal);
        failure = undefined;
      } catch (error) {
        if (signal.aborted) return;
        if (!hasShown) throw error;
        if (failure !== messageOf(error)) sayWithHelp(`no list, trying again: ${(failure = messageOf(error))}`);
      }
      if (found !== undefined) {
        const { positions, unreadable } = found;
        const text = positions.length === 0 ? "no consumers\n" : await table(positions, options);
        await signals.unlessReceived(writeToStandardOutput(process.stdout.isTTY ? CLEAR + text : `${text}\n`));
        if (unreadable !== undefined) sayWithHelp(messageOf(unreadable));
        hasShown = true;
      }
      await delay(WATCH_MS, undefined, { signal }).catch(() => {});
    }
  } finally {
    signals.release();
  }
}

async function find(context: CommandContext, { topic }: ListOptions, signal?: AbortSignal): Promise<FoundPositions> {
  return await findPositions(context, topic === undefined ? {} : { topic }, signal);
}

function table(positions: readonly PositionDocument[], options: ListOptions): Promise<string> {
  if (options.partitions !== true) return formatTable(SUMMARY_HEADINGS, summarize(positions).map(summaryRow));
  const now = Date.now();
  const hasResets = positions.some(({ resetFrom }) => resetFrom !== undefined);
  return formatTable(
    positionHeadings(hasResets),
    positions.map((position) => positionRow(position, hasResets, now)),
  );
}
