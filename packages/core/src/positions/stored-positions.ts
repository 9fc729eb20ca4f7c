import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { CallOptions, OffsetStore } from "../offset-store.ts";

/** What a store has of a consumer: by topic, then by partition. */
export type StoredPositions = ReadonlyMap<string, ReadonlyMap<number, OffsetRecord>>;

/** Which of a consumer's records are looked for. */
export interface StoredSelection {
  readonly consumer: string;
  /** Absent: on all topics. */
  readonly topics?: readonly string[] | undefined;
  /** Absent: all partitions. */
  readonly partitions?: readonly number[] | undefined;
}

/** Reads a consumer's records. */
export async function readStoredPositions(
  store: Pick<OffsetStore, "list">,
  { consumer, topics, partitions }: StoredSelection,
  options: CallOptions,
): Promise<StoredPositions> {
  const only = partitions?.length === 1 ? { partition: partitions[0] } : {};
  const wanted = partitions === undefined ? undefined : new Set(partitions);
  const filters = topics?.map((topic) => ({ consumer, topic, ...only })) ?? [{ consumer, ...only }];
  const found = new Map<string, Map<number, OffsetRecord>>();
  for (const filter of filters) {
    try {
      for await (const record of store.list(filter, options)) {
        if (wanted?.has(record.partition) === false) continue;
        const ofTopic = found.get(record.topic) ?? new Map<number, OffsetRecord>();
        found.set(record.topic, ofTopic.set(record.partition, record));
      }
    } catch (error) {
      // The records that can be read came before it.
      if (!(error instanceof OffsetStoreError) || wanted === undefined) throw error;
      if (error.keys.length === 0 || error.keys.some(({ partition }) => wanted.has(partition))) throw error;
    }
  }
  return found;
}
