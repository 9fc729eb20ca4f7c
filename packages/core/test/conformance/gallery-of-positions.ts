import type { OffsetRecord } from "@tidemark/core";
import { committing, type Exhibit, keysOf, showing } from "./exhibit.ts";

/** Faults in what goes with a position. */
export const galleryOfPositions: readonly Exhibit[] = [
  {
    fault: "a commit without metadata clears it",
    caseId: "position/metadata-is-kept",
    says: /a commit without metadata cleared it/,
    spoil: committing((entry) =>
      entry.nextOffset === undefined ? entry : { ...entry, metadata: entry.metadata ?? "" },
    ),
  },
  {
    fault: "an empty metadata is taken for none",
    caseId: "position/metadata-is-kept",
    says: /an empty text was taken for none/,
    spoil: committing((entry) => ({ ...entry, metadata: entry.metadata === "" ? undefined : entry.metadata })),
  },
  {
    fault: "a mark outlives its position",
    caseId: "position/mark",
    says: /a position without a mark kept that of another/,
    spoil: committing((entry, stored) =>
      entry.nextOffset === undefined ? entry : { ...entry, mark: entry.mark ?? stored?.mark },
    ),
  },
  {
    fault: "acknowledged ranges outlive their position",
    caseId: "position/acknowledged",
    says: /a position without ranges kept those of another/,
    spoil: committing((entry, stored) =>
      entry.nextOffset === undefined ? entry : { ...entry, acknowledged: entry.acknowledged ?? stored?.acknowledged },
    ),
  },
  {
    fault: "acknowledged ranges are cut after twenty",
    caseId: "position/acknowledged-bounds",
    says: /got \d+ entries instead of \d+/,
    spoil: committing((entry) => ({ ...entry, acknowledged: entry.acknowledged?.slice(0, 20) })),
  },
  {
    fault: "too many acknowledged ranges are left out in silence",
    caseId: "position/acknowledged-bounds",
    says: /took the ranges/,
    spoil: ({ store }) => ({
      commit: (entries, options) =>
        store.commit(entries, options).catch((error: unknown) => {
          if (!(error instanceof RangeError) || !error.message.includes("bytes long")) throw error;
          return store.commit(
            entries.map((entry) => ({ ...entry, acknowledged: undefined })),
            options,
          );
        }),
    }),
  },
  {
    fault: "an operator's reset does not tell where the position was",
    caseId: "position/reset-from",
    says: /operator/,
    spoil: showing((record) => (record.resetFrom?.reason === "operator" ? without(record, "resetFrom") : record)),
  },
  {
    fault: "where a position was is forgotten with the next commit",
    caseId: "position/reset-from",
    says: /a later write changed it/,
    spoil: showing((record) =>
      record.resetFrom?.at.getTime() === record.committedAt?.getTime() ? record : without(record, "resetFrom"),
    ),
  },
  {
    fault: "a member outlives its claim",
    caseId: "position/member",
    says: /a claim without a member kept that of another/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        const found = await store.fetch(keysOf(entries));
        return store.claim(
          entries.map((entry, index) => {
            const outcome = found[index];
            const member = outcome?.status === "found" ? outcome.record.member : undefined;
            return { ...entry, member: entry.member ?? member };
          }),
          options,
        );
      },
    }),
  },
  {
    fault: "a misspelt field is passed over",
    caseId: "position/unknown-field",
    says: /commit passes over the field tll/,
    spoil: committing(({ key, token, epoch, nextOffset, recreate, owner }) => ({
      ...{ key, token, epoch, nextOffset, recreate, owner },
    })),
  },
  {
    fault: "the last write is taken for the last commit",
    caseId: "position/last-write",
    says: /a repeated claim did not change updatedAt|a renewal did not change updatedAt/,
    spoil: showing((record) => ({ ...record, updatedAt: record.committedAt ?? record.claimedAt ?? record.updatedAt })),
  },
];

function without(record: OffsetRecord, field: "resetFrom"): OffsetRecord {
  const { [field]: _, ...rest } = record;
  return rest;
}
