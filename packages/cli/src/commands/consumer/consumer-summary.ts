import { NOTHING } from "../../output/table.ts";
import type { PositionDocument } from "./position-document.ts";

/** A consumer as `consumer list -O json` shows it. */
export interface ConsumerSummary {
  readonly consumer: string;
  readonly topics: readonly string[];
  /** How many positions it has. */
  readonly partitions: number;
  /** The sum, as a decimal string; absent where the log gave none. */
  readonly lag?: string;
  /** Positions whose lag is not in the sum: the log did not give it, or nothing is committed yet. */
  readonly partitionsWithoutLag: number;
  /** Who holds them. */
  readonly owners: readonly string[];
}

/** Puts the positions of each consumer together; they come in order of the consumers. */
export function summarize(positions: readonly PositionDocument[]): ConsumerSummary[] {
  return [...Map.groupBy(positions, ({ consumer }) => consumer)].map(([consumer, own]) => {
    const lags = own.flatMap(({ lag }) => (lag === undefined ? [] : BigInt(lag)));
    return {
      consumer,
      topics: distinct(own.map(({ topic }) => topic)),
      partitions: own.length,
      ...(lags.length > 0 && { lag: String(lags.reduce((sum, lag) => sum + lag, 0n)) }),
      partitionsWithoutLag: own.length - lags.length,
      owners: distinct(own.flatMap(({ owner }) => owner ?? [])),
    };
  });
}

/** The columns of the list. */
export const SUMMARY_HEADINGS = ["CONSUMER", "PARTITIONS", "LAG", "TOPICS", "OWNERS"];

/** One row of it. */
export function summaryRow(summary: ConsumerSummary): string[] {
  const { consumer, topics, partitions, lag, partitionsWithoutLag, owners } = summary;
  return [
    consumer,
    String(partitions),
    // A sum without some of its parts must not be taken for the whole.
    lag === undefined ? NOTHING : lag + (partitionsWithoutLag > 0 ? "+" : ""),
    few(topics),
    owners.length === 0 ? NOTHING : few(owners),
  ];
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

/** A row stays a row, however many there are. */
function few(texts: readonly string[]): string {
  const [first = NOTHING, second] = texts;
  if (second === undefined) return first;
  return texts.length === 2 ? `${first}, ${second}` : `${first} and ${texts.length - 1} more`;
}
