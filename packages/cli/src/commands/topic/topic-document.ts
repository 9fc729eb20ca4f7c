import type { TopicDescription } from "@tidemark/core";
import { NOTHING } from "../../output/table.ts";
import { formatDuration } from "../../text/duration.ts";

/** A topic as `-O json` shows it: the fields of the log's description, durations in milliseconds. */
export interface TopicDocument {
  readonly name: string;
  readonly partitions: number;
  readonly consumerTtl?: number;
  readonly retentionMs?: number;
  readonly retentionBytes?: number;
  readonly internal: boolean;
}

/** Picks what is shown of a topic, in the order that it is shown in. */
export function topicDocument(topic: TopicDescription): TopicDocument {
  return {
    name: topic.name,
    partitions: topic.partitions,
    ...(topic.consumerTtl !== undefined && { consumerTtl: topic.consumerTtl }),
    ...(topic.retentionMs !== undefined && { retentionMs: topic.retentionMs }),
    ...(topic.retentionBytes !== undefined && { retentionBytes: topic.retentionBytes }),
    internal: topic.internal,
  };
}

/** A duration as a table shows it. */
export function durationCell(milliseconds: number | undefined): string {
  return milliseconds === undefined ? NOTHING : formatDuration(milliseconds);
}

/** A number of bytes as a table shows it. */
export function bytesCell(bytes: number | undefined): string {
  return bytes === undefined ? NOTHING : String(bytes);
}
