import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { aliveByRenewal, leaveExpired, untilExpired } from "../expiry-times.ts";
import { claim, commit, committed, fetched, found, identities, keyOf, listed, newToken, reset } from "../outcomes.ts";

/** From its expiry on a record is not there, for any verb. */
export const expiryCases: readonly ConformanceCase[] = [
  {
    id: "expiry/fetch",
    clause: "3.5b",
    title: "fetch finds an expired record absent, through every client",
    run: async (context) => {
      await leaveExpired(context, keyOf());
      assert.equal(await fetched(context.store, keyOf()), undefined);
      const { store: other } = await context.openAnother();
      assert.equal(await fetched(other, keyOf()), undefined);
    },
  },
  {
    id: "expiry/list",
    clause: "3.5b",
    title: "list leaves expired records out",
    run: async (context) => {
      const alive = keyOf({ partition: 1 });
      await claim(context.store, alive, newToken(), { ttl: context.longTtl });
      await leaveExpired(context, keyOf());
      for (const filter of [{}, { consumer: "c1" }, { topic: "orders" }, { consumer: "c1", topic: "orders" }]) {
        assert.deepEqual(identities(await listed(context.store, filter)), identities([alive]));
      }
      assert.deepEqual(await listed(context.store, keyOf()), []);
    },
  },
  {
    id: "expiry/claim-starts-empty",
    clause: "3.5b",
    title: "a claim of an expired record finds nothing: no position, metadata, ttl or time comes back",
    run: async (context) => {
      const { store } = context;
      await leaveExpired(context, keyOf());
      const token = newToken();
      assert.equal(await claim(store, keyOf(), token), undefined);
      const record = await found(store, keyOf());
      assert.equal(record.nextOffset, undefined);
      assert.equal(record.metadata, "");
      assert.equal(record.committedAt, undefined);
      assert.equal(record.ttl, undefined);
      assert.equal(record.expiresAt, undefined);
      await committed(store, keyOf(), token, 1n);
    },
  },
  {
    id: "expiry/commit-absent",
    clause: "3.5b",
    title: "a commit or renewal of an expired record is fenced: absent, and brings nothing back",
    run: async (context) => {
      const { store } = context;
      const token = await leaveExpired(context, keyOf());
      const refusal = { status: "fenced", reason: "absent" };
      assert.deepEqual(await commit(store, keyOf(), token, 51n), refusal);
      assert.deepEqual(await commit(store, keyOf(), token), refusal);
      assert.deepEqual(await commit(store, keyOf(), token, 1n, { rewind: true, ttl: null }), refusal);
      assert.deepEqual(await commit(store, keyOf(), newToken(), 51n), refusal);
      assert.equal(await fetched(store, keyOf()), undefined);
    },
  },
  {
    id: "expiry/expire-absent",
    clause: "3.5b",
    title: "expire finds an expired record absent and does not bring it back",
    run: async (context) => {
      const { store } = context;
      await leaveExpired(context, keyOf());
      assert.deepEqual(await store.expire([{ key: keyOf(), ttl: null }]), [{ status: "absent" }]);
      assert.equal(await fetched(store, keyOf()), undefined);
    },
  },
  {
    id: "expiry/delete-not-removed",
    clause: "3.5b",
    title: "delete by key, consumer or topic does not return an expired record",
    run: async (context) => {
      const { store } = context;
      await leaveExpired(context, keyOf());
      assert.deepEqual(await store.delete({ keys: [keyOf()] }), []);
      await leaveExpired(context, keyOf());
      assert.deepEqual(await store.delete({ consumer: "c1" }), []);
      await leaveExpired(context, keyOf());
      assert.deepEqual(await store.delete({ topic: "orders" }), []);
    },
  },
  {
    id: "expiry/reset-starts-fresh",
    clause: "3.5b",
    title: "a reset of an expired record starts fresh: its ttl does not come back",
    run: async (context) => {
      const { store } = context;
      await leaveExpired(context, keyOf());
      await reset(store, keyOf(), 2n);
      const record = await found(store, keyOf());
      assert.equal(record.nextOffset, 2n);
      assert.equal(record.ttl, undefined);
      assert.equal(record.expiresAt, undefined);
    },
  },
  {
    id: "expiry/set-by-claim-commit-reset",
    clause: "3.5a",
    title: "a ttl given to claim, commit, renewal or reset lets the record expire",
    run: async (context) => {
      const { store, shortTtl: ttl } = context;
      const keys = [0, 1, 2, 3].map((partition) => keyOf({ partition }));
      const [byClaim = keyOf(), byCommit = keyOf(), byRenewal = keyOf(), byReset = keyOf()] = keys;
      const token = newToken();
      await claim(store, byCommit, token);
      await claim(store, byRenewal, token);
      await claim(store, byClaim, token, { ttl });
      await committed(store, byCommit, token, 1n, { ttl });
      await committed(store, byRenewal, token, undefined, { ttl });
      await reset(store, byReset, 1n, { ttl });
      await untilExpired(context, keys, ttl);
      assert.deepEqual(await listed(store), []);
    },
  },
  {
    id: "expiry/renewed-by-commit",
    clause: "3.5c",
    title: "commits keep a record alive beyond its ttl",
    run: async (context) => {
      const token = newToken();
      await claim(context.store, keyOf(), token);
      let nextOffset = 0n;
      await aliveByRenewal(context, keyOf(), async (store, more) => {
        // Claimed again in case a stall let it expire: only the commits in between count.
        if ((await commit(store, keyOf(), token, (nextOffset += 1n), more)).status === "committed") return;
        await claim(store, keyOf(), token);
        assert.fail("the commit was refused");
      });
    },
  },
  {
    id: "expiry/renewed-by-same-position",
    clause: "3.5c",
    title: "commits of one and the same position keep a record alive beyond its ttl",
    run: async (context) => {
      const token = newToken();
      await claim(context.store, keyOf(), token);
      await aliveByRenewal(context, keyOf(), async (store, more) => {
        if ((await commit(store, keyOf(), token, 7n, more)).status === "committed") return;
        await claim(store, keyOf(), token);
        assert.fail("the commit was refused");
      });
    },
  },
  {
    id: "expiry/renewed-by-renewal",
    clause: "3.5c",
    title: "renewals without a position keep a record alive beyond its ttl",
    run: async (context) => {
      const token = newToken();
      await claim(context.store, keyOf(), token);
      await aliveByRenewal(context, keyOf(), async (store, more) => {
        if ((await commit(store, keyOf(), token, undefined, more)).status === "committed") return;
        await claim(store, keyOf(), token);
        assert.fail("the renewal was refused");
      });
    },
  },
  {
    id: "expiry/renewed-by-claim",
    clause: "3.5c",
    title: "claims keep a record and its position alive beyond its ttl",
    run: async (context) => {
      const first = newToken();
      await claim(context.store, keyOf(), first);
      await committed(context.store, keyOf(), first, 9n);
      await aliveByRenewal(context, keyOf(), async (store, more) => {
        const token = newToken();
        const record = await claim(store, keyOf(), token, more);
        if (record?.nextOffset === 9n) return;
        await committed(store, keyOf(), token, 9n);
        assert.fail("the position was gone");
      });
    },
  },
];
