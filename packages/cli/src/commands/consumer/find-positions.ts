import type { OffsetFilter, OffsetRecord } from "@tidemark/core";
import type { CommandContext } from "../../context/command-context.ts";
import { sayWithHelp } from "../../context/say-with-help.ts";
import { lagOf } from "../../monitor/observe.ts";
import { findLogEnds } from "./log-ends.ts";
import { positionDocument, type PositionDocument } from "./position-document.ts";
import { comparePositions } from "./position-order.ts";

/** Positions found, and the error that named those that cannot be read. */
export interface FoundPositions {
  readonly positions: readonly PositionDocument[];
  /** What the store could not read; the rest is in `positions`. */
  readonly unreadable: Error | undefined;
}

/** Lists positions in order, each with its lag where the log gives it; where it does not, says why. */
export async function findPositions(
  context: CommandContext,
  filter: OffsetFilter,
  signal?: AbortSignal,
): Promise<FoundPositions> {
  await using store = await context.openStoreThatIsThere();
  const records: OffsetRecord[] = [];
  let unreadable: Error | undefined;
  try {
    for await (const record of store.list(filter, { signal })) records.push(record);
  } catch (error) {
    // One record that cannot be read must not hide the others: they are shown, then it is named.
    signal?.throwIfAborted();
    if (records.length === 0 || !(error instanceof Error)) throw error;
    unreadable = error;
  }
  records.sort(comparePositions);
  const { ends, warnings } = await findLogEnds(context, new Set(records.map(({ topic }) => topic)), signal);
  for (const warning of warnings) sayWithHelp(warning);
  const positions = records.map((record) => {
    const logEnd = ends.get(record.topic)?.get(record.partition);
    return positionDocument(record, lagOf({ nextOffset: record.nextOffset, logEnd }));
  });
  return { positions, unreadable };
}
