import { assert } from "../../assert.ts";
import { untilClockTicks } from "../clock.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { claim, commit, committed, fetched, found, keyOf, newToken, position } from "../outcomes.ts";

/** Who may commit. */
export const claimCases: readonly ConformanceCase[] = [
  {
    id: "claim/first-finds-nothing",
    clause: "3.1b",
    title: "the first claim of a key finds nothing and leaves a record without a position",
    run: async ({ store }) => {
      const key = keyOf();
      assert.equal(await fetched(store, key), undefined);
      assert.equal(await claim(store, key, newToken()), undefined);
      const record = await found(store, key);
      assert.equal("nextOffset" in record && record.nextOffset !== undefined, false);
      assert.deepEqual(
        { ...key, metadata: record.metadata, owner: record.owner },
        { ...key, metadata: "", owner: "owner-1" },
      );
      assert.equal(record.committedAt, undefined, "nothing was committed yet");
      assert.equal(record.ttl, undefined, "without a ttl a record never expires");
      assert.equal(record.expiresAt, undefined, "without a ttl a record never expires");
    },
  },
  {
    id: "claim/keeps-position",
    clause: "3.1b",
    title: "a claim keeps position, metadata and the time of the last commit, and answers with what it found",
    run: async ({ store }) => {
      const key = keyOf();
      const first = newToken();
      await claim(store, key, first, { owner: "first" });
      await committed(store, key, first, 41n, { metadata: "halfway" });
      const before = await found(store, key);
      const answer = await claim(store, key, newToken(), { owner: "second" });
      assert.deepEqual(position(answer), { nextOffset: 41n, metadata: "halfway" });
      assert.equal(answer?.owner, "first", "the answer is the record that the claim found");
      const after = await found(store, key);
      assert.deepEqual(position(after), { nextOffset: 41n, metadata: "halfway" });
      assert.deepEqual(after.committedAt, before.committedAt, "a claim is not a commit");
      assert.equal(after.owner, "second");
    },
  },
  {
    id: "claim/newest-wins",
    clause: "3.1b",
    title: "the newest claim wins and is refused by no older one; the older session is superseded",
    run: async ({ store }) => {
      const key = keyOf();
      const [older, newer] = [newToken(), newToken()];
      await claim(store, key, older, { owner: "older" });
      await committed(store, key, older, 5n);
      const { claimedAt = 0 } = await found(store, key);
      await untilClockTicks(store);
      await claim(store, key, newer, { owner: "newer" });
      assert.deepEqual(await commit(store, key, older, 6n), {
        status: "fenced",
        reason: "superseded",
        owner: "newer",
      });
      const record = await found(store, key);
      assert.deepEqual(position(record), { nextOffset: 5n, metadata: "" });
      assert.ok((record.claimedAt ?? 0) > claimedAt, "claimedAt is not the time of the newest claim");
      await committed(store, key, newer, 7n);
    },
  },
  {
    id: "claim/same-token-is-same-claim",
    clause: "3.4a",
    title: "the same token again is the same claim: it fences no session and keeps the time of the first",
    run: async ({ store }) => {
      const key = keyOf();
      const token = newToken();
      await claim(store, key, token);
      const first = await found(store, key);
      await untilClockTicks(store);
      const again = await claim(store, key, token);
      assert.equal(again?.nextOffset, undefined);
      await committed(store, key, token, 3n);
      assert.deepEqual(position(await claim(store, key, token)), { nextOffset: 3n, metadata: "" });
      assert.deepEqual((await found(store, key)).claimedAt, first.claimedAt);
      await committed(store, key, token, 4n);
      // Repeated after another has claimed, it is a newer claim like any other.
      const other = newToken();
      await claim(store, key, other);
      await claim(store, key, token);
      await committed(store, key, token, 5n);
      assert.equal((await commit(store, key, other, 6n)).status, "fenced");
    },
  },
  {
    id: "claim/each-key-alone",
    clause: "3.1b",
    title: "a claim of one partition says nothing about the others of its consumer and topic",
    run: async ({ store }) => {
      const [mine, theirs] = [newToken(), newToken()];
      await claim(store, keyOf({ partition: 0 }), mine);
      await claim(store, keyOf({ partition: 1 }), theirs, { owner: "theirs" });
      await committed(store, keyOf({ partition: 0 }), mine, 1n);
      await committed(store, keyOf({ partition: 1 }), theirs, 2n);
      assert.deepEqual(await commit(store, keyOf({ partition: 1 }), mine, 3n), {
        status: "fenced",
        reason: "superseded",
        owner: "theirs",
      });
    },
  },
];
