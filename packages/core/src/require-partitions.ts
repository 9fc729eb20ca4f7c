import { LogSourceError } from "./errors/log-source-error.ts";

/**
 * Checks that a topic has all of the partitions asked for.
 *
 * @throws LogSourceError with the code `UNKNOWN_PARTITION`, which names the first that it has not, and says which it has.
 */
export function requirePartitions(topic: string, existing: readonly number[], wanted: readonly number[]): void {
  const known = new Set(existing);
  const missing = wanted.find((partition) => !known.has(partition));
  if (missing === undefined) return;
  throw new LogSourceError(`topic ${JSON.stringify(topic)} has no partition ${missing}: ${rangeText(existing)}`, {
    code: "UNKNOWN_PARTITION",
    topic,
    partition: missing,
  });
}

function rangeText(partitions: readonly number[]): string {
  const first = partitions[0];
  const last = partitions.at(-1);
  if (first === undefined || last === undefined) return "it has none";
  return partitions.length === 1 ? `it has only partition ${first}` : `it has partitions ${first} to ${last}`;
}
