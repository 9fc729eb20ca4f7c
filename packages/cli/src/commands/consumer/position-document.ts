import type { OffsetRecord } from "@tidemark/core";
import { NOTHING } from "../../output/table.ts";
import { formatRemainingTime } from "../../text/remaining-time.ts";
import { resetOriginCell, resetOriginDocument, type ResetOriginDocument } from "./reset-origin.ts";

/** A position as `-O json` shows it: the fields of the store's record and `lag`; offsets are decimal strings, as JSON's numbers are too small. */
export interface PositionDocument {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset?: string;
  /** Records from the position to the log's end; absent where the log does not say. */
  readonly lag?: string;
  readonly metadata: string;
  /** Grows with every claim, every move back and every reset. */
  readonly epoch: number;
  /** Where it was before its last reset; absent: it was never reset. */
  readonly resetFrom?: ResetOriginDocument;
  /** In milliseconds. */
  readonly ttl?: number;
  readonly owner?: string;
  readonly claimedAt?: string;
  readonly committedAt?: string;
  readonly updatedAt: string;
  readonly expiresAt?: string;
}

/** Makes a store's record and its lag into what is shown. */
export function positionDocument(record: OffsetRecord, lag: bigint | undefined): PositionDocument {
  return {
    consumer: record.consumer,
    topic: record.topic,
    partition: record.partition,
    ...(record.nextOffset !== undefined && { nextOffset: String(record.nextOffset) }),
    ...(lag !== undefined && { lag: String(lag) }),
    metadata: record.metadata,
    epoch: record.epoch,
    ...(record.resetFrom !== undefined && { resetFrom: resetOriginDocument(record.resetFrom) }),
    ...(record.ttl !== undefined && { ttl: record.ttl }),
    ...(record.owner !== undefined && { owner: record.owner }),
    ...(record.claimedAt !== undefined && { claimedAt: record.claimedAt.toISOString() }),
    ...(record.committedAt !== undefined && { committedAt: record.committedAt.toISOString() }),
    updatedAt: record.updatedAt.toISOString(),
    ...(record.expiresAt !== undefined && { expiresAt: record.expiresAt.toISOString() }),
  };
}

/** The columns of the list of consumers; that of resets only where there was one. */
export function positionHeadings(hasResets: boolean): string[] {
  const headings = ["CONSUMER", "TOPIC", "PARTITION", "OFFSET", "LAG", "TTL", "OWNER"];
  return hasResets ? [...headings, "RESET FROM"] : headings;
}

/** One row of the list of consumers. */
export function positionRow(position: PositionDocument, hasResets: boolean, nowMs: number): string[] {
  const { consumer, topic, partition, nextOffset, lag, expiresAt, owner, resetFrom } = position;
  const cells = [
    consumer,
    topic,
    String(partition),
    nextOffset ?? NOTHING,
    lag ?? NOTHING,
    expiresAt === undefined ? NOTHING : formatRemainingTime(Date.parse(expiresAt) - nowMs),
    owner ?? NOTHING,
  ];
  return hasResets ? [...cells, resetFrom === undefined ? NOTHING : resetOriginCell(resetFrom, nowMs)] : cells;
}
