import type { LogSource } from "@tidemark/core";
import type { CommandContext } from "../../context/command-context.ts";
import { withPatience } from "../../context/with-patience.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { UsageError } from "../../failure/usage-error.ts";
import { type LogEndsFailure, readLogEnds } from "./read-log-ends.ts";

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
 * @throws UsageError if the settings name no log, and the signal's reason if it is aborted.
 */
export async function findLogEnds(
  context: CommandContext,
  topics: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<LogEnds> {
  if (topics.size === 0) return { ends: new Map(), warnings: [] };
  const opening = context.openLogThatIsThere();
  let log: LogSource;
  try {
    log = await withPatience(() => opening, { signal });
  } catch (error) {
    // Nobody waits for it any more, but it may still open.
    void opening.then((late) => late.close()).catch(() => {});
    signal?.throwIfAborted();
    if (error instanceof UsageError) throw error;
    return { ends: new Map(), warnings: [`warning: no lag is shown: ${messageOf(error)}`] };
  }
  try {
    const { ends, failures } = await readLogEnds(log, topics, signal);
    return { ends, warnings: failureLines(failures) };
  } finally {
    await log.close().catch(() => {});
  }
}

/** Says why no lag is known, one line for each reason. */
export function failureLines(failures: ReadonlyMap<string, LogEndsFailure>): string[] {
  const byReason = Map.groupBy(failures, ([, { error }]) => reasonOf(error));
  return [...byReason].map(([reason, ofReason]) => `warning: no lag is shown on ${placesText(ofReason)}: ${reason}`);
}

function reasonOf(error: unknown): string {
  const isUnknownTopic = error instanceof Error && "code" in error && error.code === "UNKNOWN_TOPIC";
  return isUnknownTopic ? "not in this log; --log names another" : messageOf(error);
}

function placesText(failures: readonly (readonly [string, LogEndsFailure])[]): string {
  const shown = failures.slice(0, MOST_NAMED).map(([topic, { partitions }]) => {
    const name = JSON.stringify(topic);
    if (partitions === undefined) return name;
    const more = partitions.length - MOST_NAMED;
    return `${name} (partition ${partitions.slice(0, MOST_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""})`;
  });
  const more = failures.length - shown.length;
  return `${failures.length === 1 ? "topic" : "topics"} ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
