/** What one of the tools made of a request. */
export interface ToolAnswer {
  /** Whether it did not do what it was asked. */
  readonly isRefused: boolean;
  /** What it printed as the new positions, by `TOPIC/PARTITION`. */
  readonly printed: ReadonlyMap<string, bigint>;
  /** The positions afterwards, by `TOPIC/PARTITION`. */
  readonly stored: ReadonlyMap<string, bigint>;
  /** All that it said, for a test that fails. */
  readonly said: string;
}

/** Names a partition in a {@link ToolAnswer}. */
export function placeOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
