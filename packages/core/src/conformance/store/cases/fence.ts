import { assert } from "../../assert.ts";
import { inspect } from "node:util";

import type { ConformanceCase } from "../conformance-case.ts";
import { claim, commit, committed, fetched, found, keyOf, listed, newToken, reset } from "../outcomes.ts";

/** A claim that does not hold writes nothing. */
export const fenceCases: readonly ConformanceCase[] = [
  {
    id: "fence/superseded",
    clause: "3.1d",
    title: "a commit under another token is fenced: superseded, names the new owner, and writes nothing",
    run: async ({ store, longTtl }) => {
      const [key, older, newer] = [keyOf(), newToken(), newToken()];
      await claim(store, key, older, { owner: "older" });
      await claim(store, key, newer, { owner: "newer" });
      await committed(store, key, newer, 10n, { metadata: "ten" });
      const before = await found(store, key);
      const refusal = { status: "fenced", reason: "superseded", owner: "newer" };
      assert.deepEqual(await commit(store, key, older, 11n, { metadata: "eleven", ttl: longTtl }), refusal);
      assert.deepEqual(await commit(store, key, older, 10n), refusal);
      assert.deepEqual(await commit(store, key, older, 9n), refusal);
      assert.deepEqual(await commit(store, key, older, undefined, { ttl: longTtl }), refusal);
      assert.deepEqual(await commit(store, key, older, undefined, { release: true }), refusal);
      assert.deepEqual(await found(store, key), before);
    },
  },
  {
    id: "fence/reset",
    clause: "3.1d",
    title: "after an operator's reset the claim's commits are fenced: reset",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n);
      await reset(store, key, 4n);
      assert.deepEqual(await commit(store, key, token, 11n), { status: "fenced", reason: "reset" });
      assert.deepEqual(await commit(store, key, token), { status: "fenced", reason: "reset" });
      assert.equal((await found(store, key)).nextOffset, 4n);
    },
  },
  {
    id: "fence/absent",
    clause: "3.1d",
    title: "a commit of a key that was never claimed, or is deleted, is fenced: absent, and writes nothing",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      assert.deepEqual(await commit(store, key, token, 1n), { status: "fenced", reason: "absent" });
      assert.equal(await fetched(store, key), undefined);
      await claim(store, key, token);
      await committed(store, key, token, 1n);
      assert.deepEqual(await store.delete({ keys: [key] }), [key]);
      assert.deepEqual(await commit(store, key, token, 2n), { status: "fenced", reason: "absent" });
      assert.deepEqual(await commit(store, key, token), { status: "fenced", reason: "absent" });
      assert.equal(await fetched(store, key), undefined);
      assert.deepEqual(await listed(store), []);
    },
  },
  {
    id: "fence/token-compared-whole",
    clause: "3.1a",
    title: "tokens are compared whole: a prefix, another case or a longer one is another token",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), "aBcDeF0123456789"];
      await claim(store, key, token);
      await committed(store, key, token, 1n);
      for (const other of [token.slice(0, 8), token.toLowerCase(), `${token}0`, ` ${token}`, "0", "%", ".*"]) {
        const outcome = await commit(store, key, other, 2n);
        assert.equal(outcome.status, "fenced", `token ${JSON.stringify(other)} passed for ${JSON.stringify(token)}`);
      }
      assert.equal((await found(store, key)).nextOffset, 1n);
    },
  },
  {
    id: "fence/zombie",
    clause: "3.1d",
    title: "a zombie's delayed commits through a client of its own never land after a takeover",
    run: async (context) => {
      const { store } = context;
      const { store: other } = await context.openAnother();
      const [key, zombie, successor] = [keyOf(), newToken(), newToken()];
      await claim(store, key, zombie, { owner: "zombie" });
      await committed(store, key, zombie, 100n);
      const found100 = await claim(other, key, successor, { owner: "successor" });
      assert.equal(found100?.nextOffset, 100n);
      await committed(other, key, successor, 101n);
      // Late by one process's pause: each would be legal without the takeover.
      for (const nextOffset of [100n, 101n, 500n]) {
        const outcome = await commit(store, key, zombie, nextOffset, { recreate: true, rewind: true });
        assert.deepEqual(outcome, { status: "fenced", reason: "superseded", owner: "successor" });
      }
      assert.equal((await found(other, key)).nextOffset, 101n);
      await committed(other, key, successor, 102n);
    },
  },
  {
    id: "fence/owner-is-information",
    clause: "3.1d",
    title: "the token decides, not the owner: two sessions of one name are two sessions, and the owner is shown",
    run: async ({ store }) => {
      const [key, older, newer] = [keyOf(), newToken(), newToken()];
      await claim(store, key, older, { owner: "host:1" });
      assert.equal((await found(store, key)).owner, "host:1");
      await claim(store, key, newer, { owner: "host:1" });
      assert.deepEqual(await commit(store, key, older, 1n), {
        status: "fenced",
        reason: "superseded",
        owner: "host:1",
      });
      const [record] = await listed(store);
      assert.equal(record?.owner, "host:1");
    },
  },
  {
    id: "fence/token-never-shown",
    clause: "3.17",
    title: "no answer of any verb shows a token",
    run: async ({ store }) => {
      const [key, token, other] = [keyOf(), newToken(), newToken()];
      const shown: unknown[] = [];
      shown.push(await store.claim([{ key, token, owner: "o" }]));
      shown.push(await store.commit([{ key, token, nextOffset: 5n }]));
      shown.push(await store.claim([{ key, token, owner: "o" }]));
      shown.push(await store.commit([{ key, token, nextOffset: 4n }]));
      shown.push(await store.commit([{ key, token: other, nextOffset: 6n }]));
      shown.push(await store.fetch([key]), await listed(store), await store.delete({ keys: [key] }));
      const text = JSON.stringify(shown, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
      const inspected = inspect(shown, { depth: null, showHidden: true });
      for (const secret of [token, other]) {
        assert.ok(!text.includes(secret) && !inspected.includes(secret), `a token is shown: ${inspected}`);
      }
    },
  },
];
