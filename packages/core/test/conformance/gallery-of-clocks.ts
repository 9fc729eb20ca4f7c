import { formatKey, type OffsetRecord } from "@tidemark/core";
import type { Exhibit } from "./exhibit.ts";

/** Faults of stores on a server that ask their own process what time it is. */
export const galleryOfClocks: readonly Exhibit[] = [
  {
    fault: "a client's clock says what has expired",
    caseId: "clock/of-the-store",
    says: /a living record is absent through a client whose clock is 4 minutes off/,
    surroundings: "remote",
    spoil: ({ store }) => ({
      fetch: async (keys, options) =>
        (await store.fetch(keys, options)).map((outcome) =>
          outcome.status === "found" && isDead(outcome.record) ? { status: "absent" } : outcome,
        ),
    }),
  },
  {
    fault: "a listing leaves out what a client's clock says has expired",
    caseId: "clock/of-the-store",
    says: /a living record is not listed through/,
    surroundings: "remote",
    spoil: ({ store }) => ({
      list: async function* (...asked) {
        for await (const record of store.list(...asked)) if (!isDead(record)) yield record;
      },
    }),
  },
  {
    fault: "a sweep goes by a client's clock",
    caseId: "clock/of-the-store",
    says: /a living record was swept through/,
    surroundings: "remote",
    spoil: ({ store }) => ({
      delete: async (selector, options) => {
        if (!("expired" in selector)) return store.delete(selector, options);
        const dead = [];
        for await (const record of store.list()) if (isDead(record)) dead.push(record);
        return store.delete({ keys: dead.map(({ consumer, topic, partition }) => ({ consumer, topic, partition })) });
      },
    }),
  },
  {
    fault: "a client's clock is written into the record",
    caseId: "clock/of-the-store",
    says: /claimedAt is -?\d+ ms off, written through/,
    surroundings: "remote",
    spoil: ({ store, shared }) => {
      const wrong = (record: OffsetRecord): OffsetRecord => {
        const offMs = Number(shared.get("off") ?? 0);
        const { claimedAt } = record;
        return { ...record, ...(claimedAt && { claimedAt: new Date(claimedAt.getTime() + offMs) }) };
      };
      return {
        claim: async (entries, options) => {
          const outcomes = await store.claim(entries, options);
          const [written] = await store.fetch(entries.map(({ key }) => key));
          const backendMs = written?.status === "found" ? (written.record.claimedAt?.getTime() ?? 0) : 0;
          if (backendMs > 0) shared.set("off", Date.now() - backendMs);
          return outcomes;
        },
        fetch: async (keys, options) =>
          (await store.fetch(keys, options)).map((outcome) =>
            outcome.status === "found" ? { status: "found", record: wrong(outcome.record) } : outcome,
          ),
      };
    },
  },
  {
    fault: "a holder writes unread until a client's clock says that its record has expired",
    caseId: "clock/set-back",
    says: /a commit of an expired record is written/,
    surroundings: "remote",
    spoil: ({ store, timeless }) => {
      const rememberedUntil = new Map<string, number>();
      return {
        commit: async (entries, options) => {
          const isThere = entries.every(({ key }) => Date.now() < (rememberedUntil.get(formatKey(key)) ?? 0));
          const outcomes = await (isThere ? timeless : store).commit(entries, options);
          for (const [at, { key }] of entries.entries()) {
            const outcome = outcomes[at];
            if (outcome?.status === "committed") rememberedUntil.set(formatKey(key), Date.now() + (outcome.ttl ?? 0));
          }
          return outcomes;
        },
      };
    },
  },
];

function isDead({ expiresAt }: OffsetRecord): boolean {
  return expiresAt !== undefined && expiresAt.getTime() <= Date.now();
}
