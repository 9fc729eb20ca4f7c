/** One position that is to be imported. */
export interface ImportedPosition {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: bigint;
  /** Omitted: a position that stays keeps what it has, any other has none. */
  readonly metadata?: string | undefined;
  /** In milliseconds; `null`: never expires. Omitted: the target keeps what it has. */
  readonly ttl?: number | null | undefined;
}
