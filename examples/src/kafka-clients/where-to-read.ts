import { OffsetOutOfRangeError, type OffsetSession } from "@tidemark/core";

/** What the log has of a partition. */
export interface LogRange {
  /** The offset of its first record. */
  readonly earliest: bigint;
  /** The offset after its last record. */
  readonly latest: bigint;
}

/** What a policy is asked: where to read a partition whose position is not there, or not any more. */
export interface LostPosition extends LogRange {
  readonly topic: string;
  readonly partition: number;
  /** The position that the log no longer has; `undefined` where none is stored. */
  readonly requested: bigint | undefined;
}

/** Your choice: gives the offset to read from, or throws to stop. */
export type ResetPolicy = (lost: LostPosition) => bigint;

/** Loses as little as there is to lose: the first record there is, or, from a position beyond the log, its end. */
export const nearest: ResetPolicy = ({ requested, earliest, latest }) =>
  requested !== undefined && requested > latest ? latest : earliest;

/** A new consumer begins with the first record; a position that is gone stops it, for somebody to look. */
export const refuse: ResetPolicy = ({ topic, partition, requested, earliest, latest }) => {
  if (requested === undefined) return earliest;
  throw new OffsetOutOfRangeError({ topic, partition, requested, earliest, latest });
};

/**
 * Where to read a partition: at its position while the log has it, and else where the policy says, told to whoever reads
 * the warnings. Flush the session before you read, so that the choice outlives the process.
 */
export function whereToRead(
  session: OffsetSession<never>,
  partition: number,
  range: LogRange,
  policy: ResetPolicy,
): bigint {
  const { topic } = session;
  const requested = session.position(partition);
  if (requested !== undefined && requested >= range.earliest && requested <= range.latest) return requested;
  const chosen = policy({ ...range, topic, partition, requested });
  if (requested === undefined) {
    session.startAt(partition, chosen);
  } else {
    // Durable with the next flush: inside a transaction of yours a position only goes forward.
    session.reposition(partition, chosen, { durable: true });
    const skipped = chosen > requested ? chosen - requested : 0n;
    console.warn(`${topic}/${partition}: no offset ${requested} any more; on at ${chosen}, ${skipped} offsets skipped`);
  }
  return chosen;
}
