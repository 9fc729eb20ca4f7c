import { CommandFailure } from "../failure/command-failure.ts";

/** Checks that a topic has the partitions asked for; a failure that tells which it has. */
export function requirePartitions(topic: string, existing: readonly number[], wanted: readonly number[]): void {
  const known = new Set(existing);
  const missing = wanted.find((partition) => !known.has(partition));
  if (missing === undefined) return;
  throw new CommandFailure(`topic ${JSON.stringify(topic)} has no partition ${missing}: ${rangeText(existing)}`);
}

function rangeText(partitions: readonly number[]): string {
  const first = partitions[0];
  const last = partitions.at(-1);
  if (first === undefined || last === undefined) return "it has none";
  return partitions.length === 1 ? `it has only partition ${first}` : `it has partitions ${first} to ${last}`;
}
