import type { OffsetRecord } from "@tidemark/core";
import { visibleLines } from "../../text/visible-text.ts";

/**
 * A position as `consumer export` writes it and `consumer import` reads it: what a store keeps of it, without what belongs to
 * the session that runs.
 */
export interface ExportedPosition {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  /** A decimal string: JSON's numbers are too small. */
  readonly nextOffset: string;
  readonly metadata: string;
  /** In milliseconds; `null`: it never expires. */
  readonly ttl: number | null;
}

/** A record as one line of JSON. */
export function jsonLine(record: OffsetRecord, nextOffset: bigint): string {
  const { consumer, topic, partition, metadata, ttl } = record;
  const position: ExportedPosition = {
    consumer,
    topic,
    partition,
    nextOffset: String(nextOffset),
    metadata,
    ttl: ttl ?? null,
  };
  return `${visibleLines(JSON.stringify(position))}\n`;
}

/**
 * A record as one line of the CSV that Kafka's `kafka-consumer-groups --reset-offsets` writes with `--export` and reads with
 * `--from-file`: `topic,partition,offset`, or with the group before it.
 */
export function csvLine(record: OffsetRecord, nextOffset: bigint, withConsumer: boolean): string {
  const { consumer, topic, partition } = record;
  const fields = [...(withConsumer ? [consumer] : []), topic].map(csvField);
  return `${[...fields, partition, nextOffset].join(",")}\n`;
}

function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
