import type { CommitEntry, OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";
import { expect } from "vitest";
import { codeOf, type Declare, fetchOf, key, newToken, positioned, repeatedly, statusOf, stored } from "./bench.ts";

/** Every verb that writes: what makes it ready, the call, its answer, and the record that it leaves. */
interface LostWrite {
  readonly title: string;
  readonly prepare: (store: OffsetStore<unknown>, token: string) => Promise<void>;
  readonly call: (store: OffsetStore<unknown>, token: string) => Promise<unknown>;
  readonly answers: readonly unknown[];
  readonly leaves: Partial<OffsetRecord> | undefined;
}

const lostWrites: readonly LostWrite[] = [
  {
    title: "a first claim",
    prepare: async () => undefined,
    call: (store, token) => store.claim([{ key, token, owner: "o" }]),
    // Repeated, it may find what it wrote itself: a claim without a position.
    answers: [{ status: "claimed" }],
    leaves: { owner: "o" },
  },
  {
    title: "a claim that takes over",
    prepare: async (store) => positioned(store, "older", 5n),
    call: (store, token) => store.claim([{ key, token, owner: "o" }]),
    answers: [{ status: "claimed", record: { nextOffset: 5n } }],
    leaves: { owner: "o", nextOffset: 5n },
  },
  commitOf("a commit", { nextOffset: 9n, metadata: "m" }, { nextOffset: 9n, metadata: "m" }),
  commitOf("a commit that goes back", { nextOffset: 2n, rewind: true }, { nextOffset: 2n }),
  commitOf("a renewal", { ttl: 3_600_000 }, { nextOffset: 5n, ttl: 3_600_000 }),
  {
    title: "a commit that releases the claim",
    prepare: (store, token) => positioned(store, token, 5n),
    call: (store, token) => store.commit([{ key, token, nextOffset: 9n, release: true }]),
    answers: [{ status: "committed" }],
    leaves: { nextOffset: 9n },
  },
  {
    title: "a recreation",
    prepare: async () => undefined,
    call: (store, token) => store.commit([{ key, token, nextOffset: 7n, recreate: true, owner: "o" }]),
    answers: [{ status: "committed" }],
    leaves: { nextOffset: 7n, owner: "o" },
  },
  {
    title: "a reset",
    prepare: (store, token) => positioned(store, token, 5n),
    call: (store) => store.reset([{ key, nextOffset: 1n }]),
    answers: [{ status: "reset" }],
    leaves: { nextOffset: 1n },
  },
  {
    title: "an expire",
    prepare: (store, token) => positioned(store, token, 5n),
    call: (store) => store.expire([{ key, ttl: 3_600_000 }]),
    answers: [{ status: "set" }],
    leaves: { nextOffset: 5n, ttl: 3_600_000 },
  },
];

function commitOf(title: string, entry: Partial<CommitEntry>, leaves: Partial<OffsetRecord>): LostWrite {
  return {
    title,
    prepare: (store, token) => positioned(store, token, 5n),
    call: (store, token) => store.commit([{ key, token, ...entry }]),
    answers: [{ status: "committed" }],
    leaves: { owner: "o", ...leaves },
  };
}

/** Connections that are cut in the middle of a call. */
export function defineLostAnswers(on: Declare): void {
  for (const { title, prepare, call, answers, leaves } of lostWrites) {
    for (const moment of ["before it arrives", "after it is applied"] as const) {
      on(`${title} whose connection is cut ${moment} comes to the same`, async ({ proxy, store, direct, atWrite }) => {
        const token = newToken();
        await repeatedly(() => prepare(direct, token));
        const cut = moment === "before it arrives" ? proxy.cutBeforeRequest(atWrite) : proxy.cutAfterRequest(atWrite);
        // The store repeats what is safe to repeat; what still fails says so, and then the caller repeats it.
        const said = await repeatedly(() => call(store, token));
        await cut;
        expect(said).toMatchObject(answers);
        expect(await stored(direct)).toMatchObject(leaves ?? {});
        expect(await repeatedly(() => call(store, token))).toMatchObject(answers);
        expect(await stored(direct)).toMatchObject(leaves ?? {});
      });
    }
  }

  on("a delete whose answer is lost has deleted, and is never told to have met another's record", async (bench) => {
    const { proxy, store, direct, atWrite } = bench;
    await positioned(direct, newToken(), 5n);
    await positioned(direct, newToken(), 6n, { ...key, topic: "other" });
    const cut = proxy.cutAfterRequest(atWrite);
    const removed = (await repeatedly(() => store.delete({ keys: [key] }))) as OffsetKey[];
    await cut;
    // Repeated, it may find nothing any more.
    for (const one of removed) expect(one).toEqual(key);
    expect(await fetchOf(direct)).toEqual({ status: "absent" });
    expect(await fetchOf(direct, { ...key, topic: "other" })).toMatchObject({ status: "found" });
  });

  on("a repeated commit does not come through once the claim is gone, nor put back what was deleted", async (bench) => {
    const { proxy, store, direct, atWrite } = bench;
    const token = newToken();
    await positioned(direct, token, 5n);
    const cut = proxy.cutAfterRequest({ ...atWrite, stayCut: true });
    const lost = store.commit([{ key, token, nextOffset: 6n }]).then(statusOf, codeOf);
    await cut;
    expect(await stored(direct)).toMatchObject({ nextOffset: 6n });
    await direct.claim([{ key, token: newToken(), owner: "next" }]);
    proxy.restore();
    // It was carried out before the claim: to have found that out is as right as not to know.
    expect(["UNAVAILABLE", "TIMEOUT", "fenced", "committed"]).toContain(await lost);
    const superseded = [{ status: "fenced", reason: "superseded", owner: "next" }];
    expect(await repeatedly(() => store.commit([{ key, token, nextOffset: 7n }]))).toEqual(superseded);
    await direct.delete({ keys: [key] });
    const absent = [{ status: "fenced", reason: "absent" }];
    expect(await repeatedly(() => store.commit([{ key, token, nextOffset: 7n }]))).toEqual(absent);
    expect(await fetchOf(direct)).toEqual({ status: "absent" });
  });
}
