import type { ImportChange, ImportResult, WriteStatus } from "@tidemark/core/positions";
import { NOTHING } from "../../../output/table.ts";

/** A row of an import as `-O json` shows it; `consumer import` takes it, too. */
export interface ImportDocument {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly from?: string;
  readonly nextOffset: string;
  readonly metadata?: string;
  readonly ttl?: number | null;
  readonly change?: ImportChange;
  readonly owner?: string;
  readonly status: WriteStatus;
}

/** Makes a row into what is shown. */
export function importDocument(row: ImportResult): ImportDocument {
  const { consumer, topic, partition, from, nextOffset, metadata, ttl, change, owner, status } = row;
  return {
    consumer,
    topic,
    partition,
    ...(from !== undefined && { from: String(from) }),
    nextOffset: String(nextOffset),
    ...(metadata !== undefined && { metadata }),
    ...(ttl !== undefined && { ttl }),
    ...(change !== undefined && { change }),
    ...(owner !== undefined && { owner }),
    status,
  };
}

/** The columns of a plan, and of what became of it. */
export function importHeadings(isExecuted: boolean): string[] {
  return ["CONSUMER", "TOPIC", "PARTITION", "FROM", "TO", "CHANGE", ...(isExecuted ? ["RESULT"] : [])];
}

/** One row of either. */
export function importCells(row: ImportResult, isExecuted: boolean): string[] {
  const { consumer, topic, partition, from, nextOffset, status } = row;
  const cells = [
    consumer,
    topic,
    String(partition),
    from === undefined ? NOTHING : String(from),
    String(nextOffset),
    changeText(row),
  ];
  return isExecuted ? [...cells, status] : cells;
}

function changeText({ change, from, nextOffset }: ImportResult): string {
  const distance = from === undefined ? 0n : nextOffset - from;
  switch (change) {
    case "forward":
      return `${distance} forward`;
    case "back":
      return `${-distance} back`;
    case "ahead":
      return `stays, is ${-distance} ahead`;
    case "settings":
      return "TTL or metadata";
    default:
      return change ?? NOTHING;
  }
}
