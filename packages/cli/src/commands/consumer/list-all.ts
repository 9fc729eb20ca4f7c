import type { OffsetFilter, OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";

/** All that a store lists. */
export interface ListedPositions {
  readonly records: readonly OffsetRecord[];
  /** What is there and cannot be read. */
  readonly unreadable: readonly OffsetKey[];
  /** What says so. */
  readonly failure?: Error;
}

/** Lists positions for what is done with them whether they can be read or not. */
export async function listAll(store: OffsetStore, filter: OffsetFilter): Promise<ListedPositions> {
  const { OffsetStoreError } = await import("@tidemark/core");
  const records: OffsetRecord[] = [];
  try {
    for await (const record of store.list(filter)) records.push(record);
  } catch (error) {
    if (!(error instanceof OffsetStoreError) || error.keys.length === 0) throw error;
    return { records, unreadable: error.keys, failure: error };
  }
  return { records, unreadable: [] };
}
