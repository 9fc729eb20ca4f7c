import { type ClaimOutcome, type CommitOutcome, type OffsetStore, OffsetStoreError } from "@tidemark/core";
import { replacing } from "./flawed-store.ts";
import type { Journal, Positions } from "./journal.ts";

/** Called at a commit: before it is sent, when it was sent, and when its answer is here but nobody has heard of it. */
export interface CommitHooks {
  readonly sent: () => void;
  readonly answered: () => void;
}

/** Writes down what a session asks of its store and what it is told, before the store and the session hear of it. */
export function journaledStore(
  store: OffsetStore<unknown>,
  journal: Journal,
  who: string,
  hooks: CommitHooks,
): OffsetStore<unknown> {
  let calls = 0;
  return replacing(store, {
    claim: async (entries, options) => {
      journal.write(who, { what: "claiming" });
      const outcomes = await store.claim(entries, options);
      if (outcomes.every(isClaimed)) {
        const positions = outcomes.map(
          ({ record }, index) => [entries[index]?.key.partition ?? -1, toNumber(record?.nextOffset)] as const,
        );
        journal.write(who, { what: "claimed", positions });
      }
      return outcomes;
    },
    commit: async (entries, options) => {
      const call = calls;
      calls += 1;
      const positions: Positions = entries.map(({ key, nextOffset }) => [key.partition, toNumber(nextOffset)]);
      const inside = options?.transaction !== undefined;
      journal.write(who, { what: "committing", call, positions, inside });
      const pending = store.commit(entries, options);
      hooks.sent();
      let outcomes: CommitOutcome[];
      try {
        outcomes = await pending;
      } catch (error) {
        const status = error instanceof OffsetStoreError ? error.code : String(error);
        journal.write(who, { what: "answered", call, statuses: entries.map(() => status) });
        throw error;
      }
      hooks.answered();
      journal.write(who, { what: "answered", call, statuses: outcomes.map(statusOf) });
      return outcomes;
    },
  });
}

function isClaimed(outcome: ClaimOutcome): outcome is Extract<ClaimOutcome, { status: "claimed" }> {
  return outcome.status === "claimed";
}

function statusOf(outcome: CommitOutcome): string {
  if (outcome.status === "fenced") return outcome.reason;
  return outcome.status === "failed" ? outcome.error.code : outcome.status;
}

function toNumber(offset: bigint | undefined): number | null {
  return offset === undefined ? null : Number(offset);
}
