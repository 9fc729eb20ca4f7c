import type { LogSource } from "@tidemark/core";
import type { CommandContext } from "../../context/command-context.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { UsageError } from "../../failure/usage-error.ts";

/** How long the log may take to say where it ends: what is stored must be shown all the same. */
const LOG_PATIENCE_MS = 5000;

/** How many topics a warning names. */
const MOST_NAMED = 5;

/** What the log says of its ends. */
export interface LogEnds {
  /** Where each topic's partitions end; topics that the log did not tell of are left out. */
  readonly ends: ReadonlyMap<string, ReadonlyMap<number, bigint>>;
  /** Why some are left out, a line for each reason: a lag that is not shown must not be taken for none. */
  readonly warnings: readonly string[];
}

/**
 * Asks the log where topics end. A topic that it does not have, or a log that does not answer, is no failure.
 *
 * @throws UsageError if the settings name no log.
 */
export async function findLogEnds(context: CommandContext, topics: ReadonlySet<string>): Promise<LogEnds> {
  if (topics.size === 0) return { ends: new Map(), warnings: [] };
  const signal = AbortSignal.timeout(LOG_PATIENCE_MS);
  const gaveUp = new Promise<never>((_, reject) =>
    signal.addEventListener(
      "abort",
      () => reject(new Error(`the log did not answer within ${LOG_PATIENCE_MS / 1000} s`)),
      { once: true },
    ),
  );
  gaveUp.catch(() => {});
  const opening = context.openLog();
  let log: LogSource;
  try {
    log = await Promise.race([opening, gaveUp]);
  } catch (error) {
    // It may still open, when nobody waits any more.
    opening.catch(() => {});
    if (error instanceof UsageError) throw error;
    return { ends: new Map(), warnings: [`warning: no lag is shown: ${messageOf(error)}`] };
  }
  const ends = new Map<string, ReadonlyMap<number, bigint>>();
  const missing = new Map<string, string[]>();
  try {
    for (const topic of topics) {
      try {
        ends.set(topic, await Promise.race([endsOf(log, topic, signal), gaveUp]));
      } catch (error) {
        const reason = reasonOf(error);
        missing.set(reason, [...(missing.get(reason) ?? []), topic]);
      }
    }
  } finally {
    await log.close().catch(() => {});
  }
  const warnings = [...missing].map(([reason, names]) => `warning: no lag is shown on ${topicsText(names)}: ${reason}`);
  return { ends, warnings };
}

function reasonOf(error: unknown): string {
  const isUnknownTopic = error instanceof Error && "code" in error && error.code === "UNKNOWN_TOPIC";
  return isUnknownTopic ? "not in this log; --log names another" : messageOf(error);
}

function topicsText(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMED).map((name) => JSON.stringify(name));
  const more = names.length - shown.length;
  return `${names.length === 1 ? "topic" : "topics"} ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

async function endsOf(log: LogSource, topic: string, signal: AbortSignal): Promise<ReadonlyMap<number, bigint>> {
  const { LATEST_TIMESTAMP } = await import("@tidemark/core");
  const partitions = await log.partitions(topic, { signal });
  const answers = await log.listOffsets(
    topic,
    partitions.map((partition) => ({ partition, timestamp: LATEST_TIMESTAMP })),
    { signal },
  );
  const ends = new Map<number, bigint>();
  for (const { partition, offset } of answers) if (offset !== undefined) ends.set(partition, offset);
  return ends;
}
