import { assert } from "../../assert.ts";
import { untilClockTicks } from "../clock.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { claim, commit, committed, found, keyOf, newToken, position, reset } from "../outcomes.ts";

/** An operator's write. */
export const resetCases: readonly ConformanceCase[] = [
  {
    id: "reset/backwards-fences",
    clause: "3.2c",
    title: "a reset goes backwards and forwards, withdraws the claim, and the session that ran writes nothing more",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token, { owner: "running" });
      await committed(store, key, token, 100n, { metadata: "hundred" });
      const { committedAt = 0 } = await found(store, key);
      await untilClockTicks(store);
      await reset(store, key, 3n, { metadata: "by hand" });
      const record = await found(store, key);
      assert.deepEqual(position(record), { nextOffset: 3n, metadata: "by hand" });
      assert.equal(record.owner, undefined, "the claim is still held after a reset");
      assert.equal(record.claimedAt, undefined, "the claim is still held after a reset");
      assert.ok((record.committedAt ?? 0) > committedAt, "a reset did not change committedAt");
      assert.deepEqual(await commit(store, key, token, 101n), { status: "fenced", reason: "reset" });
      await reset(store, key, 500n);
      assert.deepEqual(position(await found(store, key)), { nextOffset: 500n, metadata: "" });
    },
  },
  {
    id: "reset/claim-afterwards",
    clause: "3.2c",
    title: "a claim after a reset starts at the new position and commits; the fenced token stays fenced",
    run: async ({ store }) => {
      const [key, older, newer] = [keyOf(), newToken(), newToken()];
      await claim(store, key, older);
      await committed(store, key, older, 100n);
      await reset(store, key, 3n);
      assert.equal((await claim(store, key, newer, { owner: "newer" }))?.nextOffset, 3n);
      await committed(store, key, newer, 4n);
      assert.deepEqual(await commit(store, key, older, 101n), {
        status: "fenced",
        reason: "superseded",
        owner: "newer",
      });
    },
  },
  {
    id: "reset/where-nothing-is",
    clause: "3.2c",
    title: "a reset of a key that was never claimed writes its position; 0n is one",
    run: async ({ store }) => {
      const key = keyOf();
      await reset(store, key, 0n);
      const record = await found(store, key);
      assert.deepEqual(position(record), { nextOffset: 0n, metadata: "" });
      assert.equal(record.expiresAt, undefined);
      assert.deepEqual(await commit(store, key, newToken(), 1n), { status: "fenced", reason: "reset" });
    },
  },
  {
    id: "reset/only-its-key",
    clause: "3.2c",
    title: "a reset of one partition fences no session on the others",
    run: async ({ store }) => {
      const token = newToken();
      const [moved, left] = [keyOf({ partition: 1 }), keyOf({ partition: 10 })];
      await store.claim([moved, left].map((key) => ({ key, token, owner: "o" })));
      await reset(store, moved, 0n);
      await committed(store, left, token, 5n);
    },
  },
];
