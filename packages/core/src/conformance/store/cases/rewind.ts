import assert from "node:assert/strict";

import type { ConformanceCase } from "../conformance-case.ts";
import { claim, commit, committed, found, keyOf, newToken, position } from "../outcomes.ts";

/** The one way in which a running session goes back. */
export const rewindCases: readonly ConformanceCase[] = [
  {
    id: "rewind/exact",
    clause: "3.2b",
    title: "a commit goes back if rewindFrom is exactly the stored position",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 100n);
      await committed(store, key, token, 3n, { rewindFrom: 100n, metadata: "recreated" });
      assert.deepEqual(position(await found(store, key)), { nextOffset: 3n, metadata: "recreated" });
      await committed(store, key, token, 4n);
    },
  },
  {
    id: "rewind/mismatched",
    clause: "3.2b",
    title: "a commit whose rewindFrom is any other position is behind and writes nothing",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 100n);
      const before = await found(store, key);
      for (const rewindFrom of [99n, 101n, 0n, 3n, 10n, 1000n, 2n ** 63n - 1n]) {
        const outcome = await commit(store, key, token, 3n, { rewindFrom });
        assert.equal(outcome.status, "behind", `went back with rewindFrom ${rewindFrom} while 100 was stored`);
        assert.deepEqual("record" in outcome && outcome.record, before);
      }
      assert.deepEqual(await found(store, key), before);
    },
  },
  {
    id: "rewind/wrong-token",
    clause: "3.2b",
    title: "rewindFrom helps nobody whose token does not hold",
    run: async ({ store }) => {
      const [key, token, other] = [keyOf(), newToken(), newToken()];
      await claim(store, key, token, { owner: "holder" });
      await committed(store, key, token, 100n);
      assert.deepEqual(await commit(store, key, other, 3n, { rewindFrom: 100n }), {
        status: "fenced",
        reason: "superseded",
        owner: "holder",
      });
      assert.equal((await found(store, key)).nextOffset, 100n);
    },
  },
  {
    id: "rewind/forward-needs-none",
    clause: "3.2b",
    title: "a commit that goes forward is committed whatever its rewindFrom",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 1n, { rewindFrom: 7n });
      await committed(store, key, token, 2n, { rewindFrom: 7n });
      await committed(store, key, token, 2n, { rewindFrom: 7n });
      assert.equal((await found(store, key)).nextOffset, 2n);
    },
  },
  {
    id: "rewind/next-token",
    clause: "3.2e",
    title: "after a rewind that named a next token, a late write under the former token is fenced",
    run: async ({ store }) => {
      const [key, former, next] = [keyOf(), newToken(), newToken()];
      await claim(store, key, former, { owner: "holder" });
      await committed(store, key, former, 100n);
      const { claimedAt } = await found(store, key);
      // Repeated as after a lost answer: it holds under either token.
      for (let attempt = 0; attempt < 3; attempt += 1) {
        await committed(store, key, former, 3n, { rewindFrom: 100n, nextToken: next });
      }
      const late = await commit(store, key, former, 101n);
      assert.deepEqual(late, { status: "fenced", reason: "superseded", owner: "holder" }, "a late write landed");
      const record = await found(store, key);
      assert.equal(record.nextOffset, 3n);
      assert.equal(record.owner, "holder");
      assert.deepEqual(record.claimedAt, claimedAt, "it is the same claim");
      await committed(store, key, next, 4n);
      // Sent again after more went wrong: back once more, and from where the first one led.
      await committed(store, key, former, 1n, { rewindFrom: 4n, nextToken: next });
      await committed(store, key, next, undefined);
    },
  },
  {
    id: "rewind/next-token-refused",
    clause: "3.2e",
    title: "a refused commit leaves the claim under the token that it had",
    run: async ({ store }) => {
      const [key, token, other, next] = [keyOf(), newToken(), newToken(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 100n);
      assert.equal((await commit(store, key, token, 3n, { rewindFrom: 99n, nextToken: next })).status, "behind");
      const foreign = await commit(store, key, other, 101n, { nextToken: next });
      assert.equal(foreign.status, "fenced", "a refused commit changed the token");
      assert.equal((await commit(store, key, next, 101n)).status, "fenced", "a refused commit changed the token");
      await committed(store, key, token, 101n);
    },
  },
  {
    id: "rewind/next-token-any-commit",
    clause: "3.2e",
    title: "a forward commit, a renewal and a recreation take a next token too",
    run: async ({ store }) => {
      const key = keyOf();
      const [first, second, third, fourth] = [newToken(), newToken(), newToken(), newToken()];
      await claim(store, key, first);
      await committed(store, key, first, 5n, { nextToken: second });
      assert.equal((await commit(store, key, first, 6n)).status, "fenced");
      await committed(store, key, second, undefined, { nextToken: third });
      assert.equal((await commit(store, key, second, 6n)).status, "fenced");
      await store.delete({ keys: [key] });
      await committed(store, key, third, 7n, { recreate: true, owner: "anew", nextToken: fourth });
      assert.equal((await commit(store, key, third, 8n)).status, "fenced");
      await committed(store, key, fourth, 8n);
      assert.equal((await found(store, key)).owner, "anew");
    },
  },
  {
    id: "rewind/repeated",
    clause: "3.4b",
    title: "commits repeated after an answer was lost come to the same: forward, renewal and rewind",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      for (let attempt = 0; attempt < 3; attempt += 1) await committed(store, key, token, 100n, { metadata: "m" });
      assert.deepEqual(position(await found(store, key)), { nextOffset: 100n, metadata: "m" });
      for (let attempt = 0; attempt < 3; attempt += 1) await committed(store, key, token, 3n, { rewindFrom: 100n });
      for (let attempt = 0; attempt < 3; attempt += 1) await committed(store, key, token);
      assert.equal((await found(store, key)).nextOffset, 3n);
      // A rewind that arrives after the session went on must not undo what it did since.
      await committed(store, key, token, 5n);
      assert.equal((await commit(store, key, token, 3n, { rewindFrom: 100n })).status, "behind");
      assert.equal((await found(store, key)).nextOffset, 5n);
    },
  },
];
