import { formatKey } from "@tidemark/core";
import type { Exhibit } from "./exhibit.ts";
import { keysOf } from "./exhibit.ts";

/** Faults of expiry, step by step. */
export const galleryOfExpiry: readonly Exhibit[] = [
  {
    fault: "expire never extends",
    caseId: "expiry/extended-by-expire",
    says: /went away although it was renewed/,
    spoil: ({ store }) => ({
      expire: async (entries, options) => {
        const found = await store.fetch(keysOf(entries));
        const shorter = entries.filter(({ ttl }, index) => {
          const outcome = found[index];
          return outcome?.status !== "found" || ttl === null || ttl < (outcome.record.ttl ?? Infinity);
        });
        await store.expire(shorter, options);
        return found.map(({ status }) => ({ status: status === "found" ? "set" : "absent" }));
      },
    }),
  },
  {
    fault: "a repeated claim renews nothing",
    caseId: "expiry/renewed-by-same-claim",
    says: /went away although it was renewed/,
    spoil: ({ store, shared }) => ({
      claim: async (entries, options) => {
        const [entry] = entries;
        const [found] = await store.fetch(keysOf(entries));
        const name = `held ${formatKey(entry?.key ?? { consumer: "", topic: "", partition: 0 })}`;
        const isRepeated = shared.get(name) === entry?.token && entry?.ttl === undefined;
        shared.set(name, entry?.token);
        if (!isRepeated || found?.status !== "found") return store.claim(entries, options);
        return [{ status: "claimed", epoch: found.record.epoch, record: found.record }];
      },
    }),
  },
  {
    fault: "a rewind renews nothing",
    caseId: "expiry/renewed-by-rewind",
    says: /went away although it was renewed/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const [entry] = entries;
        const [found] = await store.fetch(keysOf(entries));
        const isThere = found?.status === "found" && found.record.nextOffset === entry?.nextOffset;
        if (entry?.rewind !== true || entry.ttl !== undefined || !isThere) return store.commit(entries, options);
        return [{ status: "committed", epoch: found.record.epoch + 1 }];
      },
    }),
  },
  {
    fault: "a refused commit renews",
    caseId: "expiry/not-renewed-by-refusals",
    says: /a commit that is behind renewed the record/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const outcomes = await store.commit(entries, options);
        for (const [index, outcome] of outcomes.entries()) {
          const entry = entries[index];
          if (entry === undefined || outcome.status !== "behind" || outcome.record.ttl === undefined) continue;
          await store.expire([{ key: entry.key, ttl: outcome.record.ttl }]);
        }
        return outcomes;
      },
    }),
  },
  {
    fault: "a fetch renews",
    caseId: "expiry/not-renewed-by-refusals",
    says: /renewed the record/,
    spoil: ({ store }) => ({
      fetch: async (keys, options) => {
        const outcomes = await store.fetch(keys, options);
        for (const outcome of outcomes) {
          if (outcome.status !== "found" || outcome.record.ttl === undefined) continue;
          const { consumer, topic, partition, ttl } = outcome.record;
          await store.expire([{ key: { consumer, topic, partition }, ttl }]);
        }
        return outcomes;
      },
    }),
  },
  {
    fault: "expire cannot take a ttl back",
    caseId: "expiry/taken-back",
    says: /records expired whose ttl had been taken back/,
    spoil: ({ store }) => ({
      expire: async (entries, options) =>
        entries.every(({ ttl }) => ttl === null)
          ? (await store.fetch(keysOf(entries))).map(({ status }) => ({
              status: status === "found" ? "set" : "absent",
            }))
          : store.expire(entries, options),
    }),
  },
  {
    fault: "a commit returns the ttl that it was sent, not the one that is stored",
    caseId: "ttl/told-by-commit",
    says: /a commit without a ttl was answered with the ttl undefined; the record has 3600000/,
    spoil: ({ store }) => ({
      commit: async (entries, options) =>
        (await store.commit(entries, options)).map((outcome, index) => {
          if (outcome.status !== "committed") return outcome;
          const { ttl: _, ...told } = outcome;
          const ttl = entries[index]?.ttl ?? undefined;
          return ttl === undefined ? told : { ...told, ttl };
        }),
    }),
  },
  {
    fault: "a commit does not tell the ttl",
    caseId: "ttl/told-by-commit",
    says: /a commit with a ttl was answered with the ttl undefined; the record has 3600000/,
    spoil: ({ store }) => ({
      commit: async (entries, options) =>
        (await store.commit(entries, options)).map((outcome) => {
          if (outcome.status !== "committed") return outcome;
          const { ttl: _, ...told } = outcome;
          return told;
        }),
    }),
  },
];
