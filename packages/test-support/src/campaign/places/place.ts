import type { LogRecord, OffsetStore } from "@tidemark/core";
import type { S3Access } from "../../servers/index.ts";

/** Where the positions of a round are kept, as data that can be sent to a process. */
export type Place =
  | { readonly kind: "sqlite"; readonly file: string }
  | { readonly kind: "redis"; readonly url: string; readonly namespace: string }
  | { readonly kind: "mongo"; readonly url: string; readonly database: string }
  | { readonly kind: "postgres"; readonly url: string; readonly schema: string }
  | { readonly kind: "s3"; readonly access: S3Access; readonly bucket: string };

/** A place that is open. */
export interface OpenedPlace {
  readonly store: OffsetStore<unknown>;
  /**
   * Carries a record out in one transaction of the caller's: notes it in the sink of its consumer if `writes`, and calls
   * `commit` with the transaction. Rejects if it was rolled back, or nobody knows. Only of a store with transactions.
   */
  readonly transact?: (
    consumer: string,
    record: LogRecord,
    parts: { readonly writes: boolean; readonly commit: (transaction: unknown) => Promise<void> },
  ) => Promise<void>;
  /** Notes a record in the sink inside a transaction of the store's own, or of the caller's. */
  readonly note?: (transaction: unknown, consumer: string, record: LogRecord) => unknown;
  /** What transactions have noted for a consumer, as offsets by partition, in the order written where there is one. */
  readonly sink?: (consumer: string, partitions: number) => Promise<number[][]>;
  close(): Promise<void>;
}

/** Sorts what a sink holds by partition. */
export function byPartition(
  partitions: number,
  rows: Iterable<{ readonly partition: number; readonly offset: number }>,
): number[][] {
  const sorted: number[][] = Array.from({ length: partitions }, () => []);
  for (const { partition, offset } of rows) sorted[partition]?.push(offset);
  return sorted;
}
