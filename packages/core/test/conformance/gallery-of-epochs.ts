import { type CommitEntry, formatKey, type OffsetRecord } from "@tidemark/core";
import { committing, type Exhibit, keysOf, showing, turn } from "./exhibit.ts";

/** Faults of epochs and releases. */
export const galleryOfEpochs: readonly Exhibit[] = [
  {
    fault: "the epoch is not compared",
    caseId: "rewind/late-writes",
    says: /a late write landed/,
    spoil: committing((entry) => ({ ...entry, epoch: undefined })),
  },
  {
    fault: "an epoch is right if it is not older",
    caseId: "epoch/wrong-is-fenced",
    says: /a commit of the epoch \d+ holds/,
    spoil: committing((entry, stored) => ({
      ...entry,
      ...(entry.epoch !== undefined && stored && entry.epoch > stored.epoch && { epoch: stored.epoch }),
    })),
  },
  {
    fault: "going back must not be said",
    caseId: "rewind/must-be-said",
    says: /went back with/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const outcomes = await store.commit(entries, options);
        const behind = entries.filter((_, index) => outcomes[index]?.status === "behind");
        await store.commit(behind.map((entry) => ({ ...entry, rewind: true })));
        return outcomes.map((outcome) => (outcome.status === "behind" ? { status: "committed" } : outcome));
      },
    }),
  },
  {
    fault: "a rewind begins no epoch",
    caseId: "rewind/goes-back",
    says: /the epoch of a rewind is/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const before = await store.fetch(keysOf(entries));
        const outcomes = await store.commit(entries, options);
        return outcomes.map((outcome, index) => {
          const found = before[index];
          const told = outcome.status === "committed" && outcome.epoch !== undefined && found?.status === "found";
          return told ? { status: "committed", epoch: found.record.epoch } : outcome;
        });
      },
    }),
  },
  {
    fault: "a repeated rewind is fenced",
    caseId: "rewind/repeated",
    says: /was not answered with "committed"/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const before = await store.fetch(keysOf(entries));
        const isLate = entries.some(({ epoch }, index) => {
          const found = before[index];
          return epoch !== undefined && found?.status === "found" && found.record.epoch !== epoch;
        });
        return isLate ? [{ status: "fenced", reason: "superseded" }] : store.commit(entries, options);
      },
    }),
  },
  {
    fault: "a repeated rewind begins another epoch",
    caseId: "rewind/repeated",
    says: /a repeated rewind began another epoch/,
    spoil: committing((entry, stored) => ({ ...entry, ...(entry.rewind === true && { epoch: stored?.epoch }) })),
  },
  {
    fault: "epochs are seconds",
    caseId: "epoch/grows",
    says: /a claim of another began the epoch/,
    spoil: (spoiling) => {
      const seconds = (epoch: number): number => Math.floor(epoch / 1_000);
      const shown = showing((record) => ({ ...record, epoch: seconds(record.epoch) }))(spoiling);
      return {
        ...shown,
        claim: async (entries, options) =>
          ((await shown.claim?.(entries, options)) ?? []).map((outcome) =>
            outcome.status === "claimed" ? { ...outcome, epoch: seconds(outcome.epoch) } : outcome,
          ),
      };
    },
  },
  {
    fault: "a repeated claim begins another epoch",
    caseId: "epoch/stays",
    says: /a repeated claim began another epoch/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        await store.claim(entries.map((entry) => ({ ...entry, token: "in between" })));
        return store.claim(entries, options);
      },
    }),
  },
  {
    fault: "claims that race count on from the same epoch",
    caseId: "epoch/of-racing-claims",
    says: /have the same epoch/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        const before = await store.fetch(keysOf(entries));
        await turn();
        const outcomes = await store.claim(entries, options);
        return outcomes.map((outcome, index) => {
          const found = before[index];
          const epoch = (found?.status === "found" ? found.record.epoch : 0) + 1;
          return outcome.status === "claimed" ? { ...outcome, epoch } : outcome;
        });
      },
    }),
  },
  {
    fault: "epochs begin again where a record was deleted",
    caseId: "epoch/outlives-the-record",
    says: /after a delete began the epoch/,
    spoil: ({ store, shared }) => ({
      claim: async (entries, options) => {
        const outcomes = await store.claim(entries, options);
        return outcomes.map((outcome, index) => {
          if (outcome.status !== "claimed") return outcome;
          const name = `epoch ${formatKey(entries[index]?.key ?? { consumer: "", topic: "", partition: 0 })}`;
          const epoch = outcome.record === undefined ? 1 : Number(shared.get(name) ?? 0) + 1;
          shared.set(name, epoch);
          return { ...outcome, epoch };
        });
      },
      fetch: async (keys, options) =>
        (await store.fetch(keys, options)).map((outcome) => {
          if (outcome.status !== "found") return outcome;
          const epoch = Number(shared.get(`epoch ${formatKey(outcome.record)}`) ?? outcome.record.epoch);
          return { status: "found", record: { ...outcome.record, epoch } };
        }),
      list: async function* (...asked) {
        for await (const record of store.list(...asked)) {
          yield { ...record, epoch: Number(shared.get(`epoch ${formatKey(keyOf(record))}`) ?? record.epoch) };
        }
      },
    }),
  },
  {
    fault: "a recreated record has an epoch of its own",
    caseId: "epoch/recreated",
    says: /a recreated record has another epoch/,
    spoil: committing(({ epoch, ...entry }, stored) => ({
      ...entry,
      ...(epoch !== undefined && !(entry.recreate === true && stored === undefined) && { epoch }),
    })),
  },
  {
    fault: "a release only renews",
    caseId: "release/alone",
    says: /the claim is still held/,
    spoil: committing((entry) => ({ ...entry, release: undefined })),
  },
  {
    fault: "a release is taken for a reset",
    caseId: "release/late-commits",
    says: /a late commit landed|deep/,
    spoil: ({ store }) => ({
      commit: async (entries, options) =>
        (await store.commit(entries, options)).map((outcome) =>
          outcome.status === "fenced" && outcome.reason === "released"
            ? { status: "fenced", reason: "reset" }
            : outcome,
        ),
    }),
  },
  {
    fault: "a repeated release is fenced",
    caseId: "release/repeated",
    says: /released/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const [found] = await store.fetch(keysOf(entries));
        const isFree = found?.status === "found" && found.record.owner === undefined;
        return isFree ? [{ status: "fenced", reason: "released" }] : store.commit(entries, options);
      },
    }),
  },
  {
    fault: "a refused commit releases all the same",
    caseId: "release/with-a-position",
    says: /superseded|released/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const outcomes = await store.commit(entries, options);
        const refused = entries.filter(({ release }, index) => release && outcomes[index]?.status === "behind");
        await store.commit(refused.map(({ key, token }): CommitEntry => ({ key, token, release: true })));
        return outcomes;
      },
    }),
  },
];

function keyOf({ consumer, topic, partition }: OffsetRecord): Pick<OffsetRecord, "consumer" | "topic" | "partition"> {
  return { consumer, topic, partition };
}
