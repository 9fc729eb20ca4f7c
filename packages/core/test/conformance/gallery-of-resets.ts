import type { OffsetRecord, ResetEntry } from "@tidemark/core";
import type { Fault } from "./broken-store.ts";
import { type Exhibit, keysOf, turn } from "./exhibit.ts";

/** Faults in an operator's conditional write. */
export const galleryOfResets: readonly Exhibit[] = [
  {
    fault: "a reset ignores the position that it is to be written over",
    caseId: "reset/if-next-offset",
    says: /written although not at/,
    spoil: resetting((entry) => ({ ...entry, ifNextOffset: undefined })),
  },
  {
    fault: "a reset compares offsets as numbers",
    caseId: "reset/if-next-offset",
    says: /written although not at 9007199254740992/,
    spoil: resetting((entry, stored) => {
      const { ifNextOffset } = entry;
      const isEqual = typeof ifNextOffset === "bigint" && Number(ifNextOffset) === Number(stored?.nextOffset);
      return isEqual ? { ...entry, ifNextOffset: stored?.nextOffset } : entry;
    }),
  },
  {
    fault: "a reset compares only the position of the last reset, and not its time",
    caseId: "reset/if-reset-from",
    says: /written over another reset/,
    spoil: resetting((entry, stored) => {
      const { ifResetFrom } = entry;
      const isEqual = ifResetFrom !== undefined && ifResetFrom.nextOffset === stored?.resetFrom?.nextOffset;
      return isEqual ? { ...entry, ifResetFrom: stored?.resetFrom } : entry;
    }),
  },
  {
    fault: "an offset that is a number passes for a position to be written over",
    caseId: "reset/odd-conditions",
    says: /reset took the odd condition 0/,
    spoil: resetting((entry) => (typeof entry.ifNextOffset === "number" ? { ...entry, ifNextOffset: null } : entry)),
  },
  {
    fault: "a conditional reset reads, compares, then writes without the condition",
    caseId: "race/conditional-resets",
    says: /resets were written over one position/,
    spoil: ({ store }) => ({
      reset: async (entries, options) => {
        const [entry] = entries;
        const [before] = await store.fetch(keysOf(entries));
        const record = before?.status === "found" ? before.record : undefined;
        if (entry?.ifNextOffset !== undefined && (record?.nextOffset ?? null) !== entry.ifNextOffset) {
          return [{ status: "moved", record }];
        }
        await turn();
        return store.reset(
          entries.map((each) => ({ ...each, ifNextOffset: undefined })),
          options,
        );
      },
    }),
  },
];

/** Changes every entry of a reset in the light of what is stored. */
function resetting(change: (entry: ResetEntry, stored: OffsetRecord | undefined) => ResetEntry): Fault {
  return ({ store }) => ({
    reset: async (entries, options) => {
      const found = await store.fetch(keysOf(entries));
      const changed = entries.map((entry, index) => {
        const outcome = found[index];
        return change(entry, outcome?.status === "found" ? outcome.record : undefined);
      });
      return store.reset(changed, options);
    },
  });
}
