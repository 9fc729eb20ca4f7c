import type { LogSource } from "@tidemark/core";
import type { CommandContext } from "../../context/command-context.ts";
import { withPatience } from "../../context/with-patience.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { UsageError } from "../../failure/usage-error.ts";
import { readLogEnds } from "./read-log-ends.ts";

/** How many topics a warning names. */
const MOST_NAMED = 5;

/** What the log says of its ends. */
export interface LogEnds {
  /** Where each topic's partitions end; topics of which the log gave none are left out. */
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
  let log: LogSource;
  try {
    log = await withPatience(() => context.openLogThatIsThere());
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return { ends: new Map(), warnings: [`warning: no lag is shown: ${messageOf(error)}`] };
  }
  try {
    const { ends, failures } = await readLogEnds(log, topics);
    return { ends, warnings: failureLines(failures) };
  } finally {
    await log.close().catch(() => {});
  }
}

/** Says why no lag is known, one line for each reason. */
export function failureLines(failures: ReadonlyMap<string, unknown>): string[] {
  const byReason = Map.groupBy(failures, ([, error]) => reasonOf(error));
  return [...byReason].map(
    ([reason, topics]) => `warning: no lag is shown on ${topicsText(topics.map(([topic]) => topic))}: ${reason}`,
  );
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
