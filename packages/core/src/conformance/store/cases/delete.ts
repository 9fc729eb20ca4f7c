import { assert } from "../../assert.ts";
import type { DeleteSelector } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { leaveExpired } from "../expiry-times.ts";
import { claim, commit, committed, fetched, identities, keyOf, listed, newToken } from "../outcomes.ts";

/** Records are removed by key or by filter. */
export const deleteCases: readonly ConformanceCase[] = [
  {
    id: "delete/selectors",
    clause: "3.13a",
    title: "delete removes what matches and nothing else: by keys, consumer, topic (the cascade), and combinations",
    run: async ({ store }) => {
      const keys = ["c1", "c2", "c3"].flatMap((consumer) =>
        ["t1", "t2", "t3"].flatMap((topic) => [0, 1].map((partition) => ({ consumer, topic, partition }))),
      );
      let left = keys;
      const token = newToken();
      await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      const steps: [DeleteSelector, (key: (typeof keys)[number]) => boolean][] = [
        [{ keys: keys.slice(0, 2) }, (key) => keys.indexOf(key) < 2],
        [
          { consumer: "c2", topic: "t2", partition: 1 },
          (key) => key.consumer === "c2" && key.topic === "t2" && key.partition === 1,
        ],
        [{ topic: "t3", partition: 0 }, (key) => key.topic === "t3" && key.partition === 0],
        [{ consumer: "c3", partition: 1 }, (key) => key.consumer === "c3" && key.partition === 1],
        [{ consumer: "c1", topic: "t2" }, (key) => key.consumer === "c1" && key.topic === "t2"],
        [{ topic: "t3" }, (key) => key.topic === "t3"],
        [{ consumer: "c2" }, (key) => key.consumer === "c2"],
        [{ consumer: "nobody" }, () => false],
      ];
      for (const [selector, matches] of steps) {
        const removed = await store.delete(selector);
        assert.deepEqual(identities(removed), identities(left.filter(matches)), JSON.stringify(selector));
        left = left.filter((key) => !matches(key));
        assert.deepEqual(identities(await listed(store)), identities(left));
      }
    },
  },
  {
    id: "delete/removed-keys-only",
    clause: "3.13a",
    title: "delete returns the keys of the records that it removed; a second delete returns none",
    run: async (context) => {
      const { store } = context;
      const [there, missing] = [keyOf({ partition: 0 }), keyOf({ partition: 1 })];
      await claim(store, there, newToken());
      assert.deepEqual(await store.delete({ keys: [missing, there] }), [there]);
      assert.notEqual(await context.peek(there), true, "the deleted record is still kept");
      assert.deepEqual(await store.delete({ keys: [missing, there] }), []);
      assert.deepEqual(await store.delete({ consumer: "c1" }), []);
    },
  },
  {
    id: "delete/many",
    clause: "3.13a",
    title: "delete removes 2,500 records of a topic, and 2,500 keys, in one call, and returns their keys",
    run: async ({ store }) => {
      const keys = Array.from({ length: 2_500 }, (_, index) =>
        keyOf({ consumer: `c${index % 2}`, partition: Math.floor(index / 2) }),
      );
      const left = keyOf({ topic: "left" });
      for (const selector of [{ topic: "orders" }, { keys }]) {
        await store.claim([...keys, left].map((key) => ({ key, token: newToken(), owner: "o" })));
        assert.deepEqual(identities(await store.delete(selector)), identities(keys));
        assert.deepEqual(identities(await listed(store)), identities([left]));
      }
    },
  },
  {
    id: "delete/starts-anew",
    clause: "3.13a",
    title: "after a delete the running session is fenced: absent, and a new claim finds nothing",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token, { ttl: longTtl });
      await committed(store, key, token, 10n);
      await store.delete({ topic: "orders" });
      assert.deepEqual(await commit(store, key, token, 11n), { status: "fenced", reason: "absent" });
      assert.equal(await claim(store, key, newToken()), undefined);
      assert.equal((await store.fetch([key]))[0]?.status, "found");
    },
  },
  {
    id: "delete/empty-selector",
    clause: "3.13b",
    title: "a selector that names nothing is a TypeError, and nothing is removed",
    run: async ({ store }) => {
      await claim(store, keyOf(), newToken());
      const selectors: unknown[] = [
        {},
        { partition: 0 },
        { consumer: undefined },
        { consumer: undefined, topic: undefined, keys: undefined },
        { expired: false },
        { expired: undefined },
        { expired: true, topic: "orders" },
        { keys: [keyOf()], consumer: "c1" },
        { keys: undefined },
        { topics: "orders" },
        undefined,
        null,
        "orders",
      ];
      for (const selector of selectors) {
        await assert.rejects(store.delete(selector as DeleteSelector), TypeError, JSON.stringify(selector));
      }
      assert.ok(await fetched(store, keyOf()));
    },
  },
  {
    id: "delete/duplicates",
    clause: "3.1f",
    title: "the same key twice in one batch is a TypeError of every verb, and nothing is written",
    run: async ({ store }) => {
      const token = newToken();
      const keys = [0, 1, 0].map((partition) => keyOf({ partition }));
      const claims = keys.map((key) => ({ key, token, owner: "o" }));
      await assert.rejects(store.claim(claims), TypeError);
      const commits = claims.map((entry) => ({ ...entry, nextOffset: 1n, recreate: true }));
      await assert.rejects(store.commit(commits), TypeError);
      await assert.rejects(store.fetch(keys), TypeError);
      await assert.rejects(store.reset(keys.map((key) => ({ key, nextOffset: 1n }))), TypeError);
      await assert.rejects(store.expire(keys.map((key) => ({ key, ttl: null }))), TypeError);
      await assert.rejects(store.delete({ keys }), TypeError);
      assert.deepEqual(await listed(store), []);
    },
  },
  {
    id: "delete/namespaces",
    clause: "3.14",
    title: "two namespaces in one backend never meet: not in fetch, list, delete, reset or expire",
    run: async (context) => {
      const { store } = context;
      const { store: elsewhere } = await context.openElsewhere();
      assert.notEqual(store.namespace, elsewhere.namespace);
      const [key, token, other] = [keyOf(), newToken(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n);
      assert.equal(await fetched(elsewhere, key), undefined);
      assert.deepEqual(await listed(elsewhere), []);
      assert.deepEqual(await elsewhere.expire([{ key, ttl: 1 }]), [{ status: "absent" }]);
      assert.deepEqual(await commit(elsewhere, key, token, 11n), { status: "fenced", reason: "absent" });
      assert.equal(await claim(elsewhere, key, other), undefined);
      await committed(elsewhere, key, other, 3n);
      await committed(store, key, token, 11n);
      assert.deepEqual(await elsewhere.delete({ consumer: "c1" }), [key]);
      assert.deepEqual(await elsewhere.delete({ expired: true }), []);
      await leaveExpired(context, keyOf({ partition: 1 }));
      assert.deepEqual(await elsewhere.delete({ expired: true }), [], "a key of another namespace is returned");
      await elsewhere.reset([{ key, nextOffset: 0n }]);
      assert.equal((await fetched(store, key))?.nextOffset, 11n);
      await committed(store, key, token, 12n);
    },
  },
  {
    id: "delete/near-namespaces",
    clause: "3.14",
    title: "namespaces are compared whole: one that begins like another, or differs in case or a blank, is another",
    run: async (context) => {
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n);
      const names = [
        (namespace: string) => `${namespace}0`,
        (namespace: string) => `${namespace} `,
        (namespace: string) => `${namespace}:${key.consumer}`,
        (namespace: string) => namespace.toUpperCase(),
      ];
      for (const nameAfter of names) {
        const { store: near } = await context.openElsewhere(nameAfter);
        const told = `${JSON.stringify(near.namespace)} and ${JSON.stringify(store.namespace)} meet`;
        assert.deepEqual(await near.fetch([key]), [{ status: "absent" }], told);
        assert.deepEqual(await listed(near), [], told);
        assert.equal(await claim(near, key, newToken()), undefined, told);
        assert.deepEqual(identities(await listed(store)), identities([key]), told);
        assert.equal((await listed(store))[0]?.nextOffset, 10n, told);
        assert.deepEqual(await near.delete({ topic: key.topic }), [key]);
      }
      await committed(store, key, token, 11n);
    },
  },
];
