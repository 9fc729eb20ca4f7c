import type { OffsetFilter, OffsetKey } from "@tidemark/core";
import { type DriverListing, toOffsetRecord } from "@tidemark/core/driver";
import { GroupDraft } from "./group-draft.ts";
import type { GroupSnapshot } from "./group-snapshot.ts";
import type { GroupName } from "./object-keys.ts";

/** What a listing gives of one group: its records that a filter matches, and what of it cannot be read. */
export function listingsOf(
  { consumer, topic }: GroupName,
  objectKey: string,
  filter: OffsetFilter,
  snapshot: GroupSnapshot,
): DriverListing[] {
  const keyOf = (partition: number): OffsetKey => ({ consumer, topic, partition });
  if (snapshot.damage !== undefined) {
    // Which partitions were in it cannot be told: the first stands for all.
    return [{ status: "failed", key: keyOf(filter.partition ?? 0), error: snapshot.damage }];
  }
  const draft = new GroupDraft(snapshot, objectKey);
  const partitions = filter.partition === undefined ? [...snapshot.partitions.keys()] : [filter.partition];
  return partitions.flatMap((partition): DriverListing[] => {
    const key = keyOf(partition);
    try {
      const stored = draft.read(partition);
      return stored === undefined ? [] : [{ status: "found", record: toOffsetRecord(key, stored) }];
    } catch (error) {
      return [{ status: "failed", key, error }];
    }
  });
}
