import type { OffsetKey } from "@tidemark/core";

/** Orders positions by consumer, topic and partition. Names by their code units: the same order everywhere. */
export function comparePositions(one: OffsetKey, other: OffsetKey): number {
  return (
    compareText(one.consumer, other.consumer) || compareText(one.topic, other.topic) || one.partition - other.partition
  );
}

function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
