import type { ClaimEntry, MemberEntry, OffsetStore } from "@tidemark/core";
import type { Fault } from "./broken-store.ts";
import type { Exhibit } from "./exhibit.ts";

/** Faults of members, and of claims that want idle keys alone. */
export const galleryOfMembers: readonly Exhibit[] = [
  {
    fault: "only a member's first heartbeat is written",
    caseId: "member/heartbeat",
    says: /second heartbeat/,
    spoil: ({ store, shared }) => ({
      heartbeat: async (entry, options) => {
        if (shared.has(entry.key.member)) return;
        shared.set(entry.key.member, true);
        return store.heartbeat(entry, options);
      },
    }),
  },
  {
    fault: "members of all topics are one group",
    caseId: "member/apart",
    says: /deep-equal/,
    spoil: ({ store }) => ({
      heartbeat: (entry, options) => store.heartbeat({ ...entry, key: { ...entry.key, topic: "orders" } }, options),
    }),
  },
  {
    fault: "a claim of idle keys takes what a living member holds",
    caseId: "member/held",
    says: /claimed/,
    spoil: claiming((entry) => ({ ...entry, ifIdleFor: undefined })),
  },
  {
    fault: "one look is enough to find a member silent",
    caseId: "member/silent",
    says: /first look/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        const outcomes = await store.claim(entries, options);
        if (outcomes.every(({ status }) => status !== "held")) return outcomes;
        await new Promise((resolve) => setTimeout(resolve, 300));
        return store.claim(entries, options);
      },
    }),
  },
  {
    fault: "a member that was found silent once stays so, also after heartbeats",
    caseId: "member/living",
    says: /robbed/,
    spoil: ({ store, shared }) => ({
      heartbeat: async (entry, options) => {
        if (shared.has("silent")) return;
        return store.heartbeat(entry, options);
      },
      claim: async (entries, options) => {
        const outcomes = await store.claim(entries, options);
        if (outcomes.some(({ status }) => status === "held")) shared.set("silent", true);
        return outcomes;
      },
    }),
  },
  {
    fault: "the process of another machine is looked for on this one",
    caseId: "member/ended",
    says: /another machine/,
    spoil: beating((entry, own) => ({
      ...entry,
      process: entry.process && { ...entry.process, bootId: own.bootId, pidNamespace: own.pidNamespace },
    })),
  },
  {
    fault: "a holder in no group is silent at once",
    caseId: "member/of-none",
    says: /held/,
    spoil: claiming((entry) => ({ ...entry, ifIdleFor: undefined })),
  },
  {
    fault: "the last to ask says how many partitions the topic had",
    caseId: "member/group",
    says: /first word/,
    spoil: () => ({ group: ({ partitions }) => Promise.resolve({ partitions }) }),
  },
];

function claiming(change: (entry: ClaimEntry) => ClaimEntry): Fault {
  return ({ store }) => ({ claim: (entries, options) => store.claim(entries.map(change), options) });
}

/** Changes every heartbeat; `own` is the first process that beats. */
function beating(change: (entry: MemberEntry, own: NonNullable<MemberEntry["process"]>) => MemberEntry): Fault {
  return ({ store, shared }): Partial<OffsetStore> => ({
    heartbeat: (entry, options) => {
      if (entry.process !== undefined && !shared.has("own")) shared.set("own", entry.process);
      const own = shared.get("own") as MemberEntry["process"];
      return store.heartbeat(own === undefined ? entry : change(entry, own), options);
    },
  });
}
