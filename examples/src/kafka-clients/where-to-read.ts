import { type OffsetSession, type ReadPosition, whereToRead, type WhereToReadOptions } from "@tidemark/core";

/** Where a new consumer begins, and where one goes on whose position is gone: a policy's name, or a policy of your own. */
export type Policies = Pick<WhereToReadOptions, "start" | "resetPolicy">;

/** Where to read a session's partitions. What a policy chose is told and durable before anything is read. */
export async function settlePositions(
  session: OffsetSession<never>,
  options: Omit<WhereToReadOptions, "topic" | "positions">,
  partitions = session.partitions,
): Promise<ReadPosition[]> {
  const { topic } = session;
  const positions = partitions.map((partition) => ({ partition, nextOffset: session.position(partition) }));
  const found = await whereToRead({ ...options, topic, positions });
  for (const { partition, nextOffset, reason, earliest } of found) {
    const gone = session.position(partition) ?? earliest;
    if (reason === "start") session.startAt(partition, nextOffset);
    if (reason === undefined || reason === "start") continue;
    session.resetTo(partition, nextOffset, reason);
    // Beyond the log it is another one by now: nobody knows what of it was read.
    const skipped = nextOffset - (reason === "below-log" ? gone : earliest);
    console.warn(`${topic}/${partition}: no offset ${gone} any more; on at ${nextOffset}, ${skipped} offsets skipped`);
  }
  await session.flush({ signal: options.signal });
  return found;
}
