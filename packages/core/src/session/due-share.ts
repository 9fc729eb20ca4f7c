/** A living member of a balanced group. */
export interface SharingMember {
  readonly member: string;
  /** How many partitions it holds. */
  readonly held: number;
}

/**
 * How many of a topic's partitions one of its members is due (contract 8.7). Members are ranked by what they hold, the most
 * first, then by name; the first `partitions` mod N are due one more than the others. So a change of members moves as few
 * partitions as there can be, and all members come to the same answer.
 */
export function dueShare(members: readonly SharingMember[], member: string, partitions: number): number {
  const ranked = members.toSorted((a, b) => b.held - a.held || (a.member < b.member ? -1 : 1));
  const rank = ranked.findIndex((other) => other.member === member);
  return Math.floor(partitions / members.length) + (rank < partitions % members.length ? 1 : 0);
}
