import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import { untilClockTicks } from "../clock.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { aliveByRenewal, untilExpired } from "../expiry-times.ts";
import {
  type AnyStore,
  claim,
  claimed,
  commit,
  committed,
  expire,
  fetched,
  found,
  identities,
  keyOf,
  listed,
  newToken,
  reset,
  rewound,
} from "../outcomes.ts";

/** More expired records than a store sweeps beside a write. */
const MANY = 1_200;

/** What renews a record and what does not, step by step; and that what is shown of an expiry is what happens. */
export const expiryStepCases: readonly ConformanceCase[] = [
  {
    id: "expiry/renewed-by-same-claim",
    clause: "3.5c",
    title: "a claim repeated under its token keeps a record alive beyond its ttl",
    run: async (context) => {
      const token = newToken();
      await claim(context.store, keyOf(), token);
      await committed(context.store, keyOf(), token, 9n);
      await aliveByRenewal(context, keyOf(), async (store, more) => {
        if ((await claim(store, keyOf(), token, more))?.nextOffset === 9n) return;
        await committed(store, keyOf(), token, 9n);
        assert.fail("the position was gone");
      });
    },
  },
  {
    id: "expiry/renewed-by-rewind",
    clause: "3.5c",
    title: "rewinds keep a record alive beyond its ttl",
    run: async (context) => {
      const token = newToken();
      await claim(context.store, keyOf(), token);
      await aliveByRenewal(context, keyOf(), async (store, more) => {
        const outcome = await commit(store, keyOf(), token, 3n, { rewind: true, ...more });
        if (outcome.status === "committed") return;
        await claim(store, keyOf(), token);
        assert.fail("the rewind was refused");
      });
    },
  },
  {
    id: "expiry/extended-by-expire",
    clause: "3.5f",
    title: "a ttl that expire gives begins again each time",
    run: async (context) => {
      const token = newToken();
      await claim(context.store, keyOf(), token);
      let ttl = 0;
      await aliveByRenewal(context, keyOf(), async (store, more) => {
        ttl = more.ttl ?? ttl;
        const [outcome] = await store.expire([{ key: keyOf(), ttl: ttl === 0 ? null : ttl }]);
        if (outcome?.status === "set") return;
        await claim(store, keyOf(), token);
        assert.fail("there was nothing to expire");
      });
    },
  },
  {
    id: "expiry/not-renewed-by-refusals",
    clause: "3.5c",
    title: "refused commits and reads renew nothing: the record goes when its ttl runs out",
    run: async (context) => {
      const { store, longTtl } = context;
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token, { ttl: longTtl });
      await committed(store, key, token, 100n, { epoch });
      const next = await rewound(store, key, token, 50n, { epoch });
      const idle: readonly (readonly [string, () => Promise<unknown>])[] = [
        ["a commit that is behind", () => commit(store, key, token, 49n, { ttl: 2 * longTtl })],
        ["a commit of another token", () => commit(store, key, newToken(), 51n, { ttl: 2 * longTtl })],
        ["a commit of another epoch", () => commit(store, key, token, 51n, { epoch, ttl: 2 * longTtl })],
        ["a renewal of another token", () => commit(store, key, newToken(), undefined, { ttl: 2 * longTtl })],
        ["a fetch", () => fetched(store, key)],
        ["a listing", () => listed(store)],
        ["a sweep", () => store.delete({ expired: true })],
      ];
      const before = await found(store, key);
      await untilClockTicks(store);
      for (const [what, call] of idle) {
        await call();
        assert.deepEqual((await found(store, key)).expiresAt, before.expiresAt, `${what} renewed the record`);
      }
      await committed(store, key, token, 50n, { epoch: next });
      // And so it is in the backend too, which may have an expiry of its own.
      const ttl = Math.max(300, 2 * context.capabilities.expiry.granularityMs);
      await expire(store, key, ttl);
      const endsAt = performance.now() + ttl + 5_000;
      while ((await commit(store, key, newToken(), 51n, { ttl: longTtl })).status === "fenced") {
        if ((await commit(store, key, token, 49n)).status === "fenced" && !(await fetched(store, key))) return;
        assert.ok(performance.now() < endsAt, "refused commits keep a record alive beyond its ttl");
        await new Promise((resolve) => setTimeout(resolve, ttl / 20));
      }
    },
  },
  {
    id: "expiry/to-the-step",
    clause: "3.5d",
    title: "a record is there until its expiresAt, and from then on to no verb, by the step of the store's clock",
    run: async (context) => {
      const { store, shortTtl } = context;
      const { granularityMs } = context.capabilities.expiry;
      const [key, clock, token] = [keyOf(), keyOf({ topic: "clock" }), newToken()];
      // What the clock shows: the time of a write that was made before what is asked next.
      const now = async (): Promise<number> => {
        await claim(store, clock, newToken());
        return (await found(store, clock)).updatedAt.getTime();
      };
      let expiresAt: Date | undefined;
      for (let ttl = Math.max(8 * shortTtl, 2 * granularityMs); expiresAt === undefined; ttl *= 2) {
        assert.ok(ttl < 30_000, `a record that lives for ${ttl / 2} ms is gone before it can be fetched`);
        await claim(store, key, token, { ttl });
        expiresAt = (await fetched(store, key))?.expiresAt;
      }
      const endsAt = expiresAt.getTime() + granularityMs;
      const looks: Readonly<Record<string, () => Promise<boolean>>> = {
        fetch: async () => (await fetched(store, key)) !== undefined,
        list: async () => (await listed(store, key)).length > 0,
        commit: async () => {
          const outcome = await commit(store, key, newToken());
          return outcome.status !== "fenced" || outcome.reason !== "absent";
        },
      };
      for (let leftMs = 1; leftMs > 0;) {
        leftMs = endsAt - (await now());
        for (const [verb, isThere] of Object.entries(looks)) {
          const before = await now();
          const seen = await isThere();
          assert.ok(!seen || before < endsAt, `${verb} finds a record ${before - endsAt} ms after its expiry`);
          const isMissed = !seen && (await now()) < endsAt - 2 * granularityMs;
          assert.ok(!isMissed, `${verb} misses a record that has not expired`);
        }
        // The nearer the end the more often.
        const pauseMs = Math.max(leftMs / 16, granularityMs / 20);
        if (leftMs > 0 && pauseMs >= 1) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    },
  },
  {
    id: "expiry/taken-back",
    clause: "3.5a",
    title: "a ttl that is taken back before it runs out ends nothing: by commit, renewal, claim, reset or expire",
    run: async (context) => {
      const { store, longTtl } = context;
      const token = newToken();
      const takenBack: readonly ((key: OffsetKey, ttl: number | null) => Promise<unknown>)[] = [
        (key, ttl) => commit(store, key, token, 6n, { ttl }),
        (key, ttl) => commit(store, key, token, undefined, { ttl }),
        (key, ttl) => claim(store, key, token, { ttl }),
        (key, ttl) => reset(store, key, 7n, { ttl }),
        (key, ttl) => store.expire([{ key, ttl }]),
      ];
      const keys = takenBack.flatMap((_, index) => [
        keyOf({ partition: 2 * index }),
        keyOf({ partition: 2 * index + 1 }),
      ]);
      const left = keyOf({ topic: "left", partition: 1 });
      for (let ttl = Math.max(400, 4 * context.capabilities.expiry.granularityMs); ; ttl *= 2) {
        await store.claim([...keys, left].map((key) => ({ key, token, owner: "o" })));
        await store.commit([...keys, left].map((key) => ({ key, token, nextOffset: 5n })));
        const startedAt = performance.now();
        await store.expire([...keys, left].map((key) => ({ key, ttl })));
        for (const [index, take] of takenBack.entries()) {
          await take(keyOf({ partition: 2 * index }), null);
          await take(keyOf({ partition: 2 * index + 1 }), longTtl);
        }
        // On a machine that took too long some have expired, and nothing is proven.
        if (performance.now() - startedAt < ttl / 2) break;
        assert.ok(
          ttl < 10_000,
          `${4 * keys.length} calls take longer than ${ttl / 2} ms: the store answers too slowly for this case`,
        );
      }
      await untilExpired(context, [left], 20_000);
      // A backend that takes space back when it is written to has had its occasion then.
      await committed(store, left, token, 1n, { recreate: true, owner: "o" });
      await store.delete({ expired: true });
      assert.deepEqual(
        identities(await listed(store, { topic: "orders" })),
        identities(keys),
        "records expired whose ttl had been taken back",
      );
    },
  },
  {
    id: "expiry/among-many",
    clause: "3.5b",
    title: `an expired record is gone to every verb where ${MANY} others have expired beside it and one lives`,
    run: async (context) => {
      const { longTtl } = context;
      const verbs: Readonly<Record<string, (store: AnyStore, key: OffsetKey, token: string) => Promise<void>>> = {
        claim: async (store, key) => {
          assert.equal(await claim(store, key, newToken()), undefined, "a claim finds what has expired");
          assert.equal((await found(store, key)).nextOffset, undefined, "a claim brings an expired position back");
        },
        reset: async (store, key) => {
          await reset(store, key, 2n);
          const { ttl, resetFrom } = await found(store, key);
          assert.deepEqual([ttl, resetFrom], [undefined, undefined], "a reset continues from what has expired");
        },
        expire: async (store, key) => {
          const outcomes = await store.expire([{ key, ttl: longTtl }]);
          assert.deepEqual(outcomes, [{ status: "absent" }], "expire brings back what has expired");
          assert.equal(await fetched(store, key), undefined, "expire brings back what has expired");
        },
        commit: async (store, key, token) => {
          const outcome = await commit(store, key, token, 6n);
          assert.deepEqual(outcome, { status: "fenced", reason: "absent" }, "a commit finds what has expired");
        },
        recreate: async (store, key) => {
          // Under another token: under its own it might be taken for a commit like any other.
          await committed(store, key, newToken(), 1n, { recreate: true, owner: "again" });
          assert.equal((await found(store, key)).nextOffset, 1n);
        },
        delete: async (store, key) => {
          assert.deepEqual(await store.delete({ keys: [key] }), [], "delete returned what has expired");
        },
      };
      for (const [verb, call] of Object.entries(verbs)) {
        const { store } = await context.openElsewhere();
        const [token, living] = [newToken(), keyOf({ topic: verb, partition: MANY + 1 })];
        await claim(store, living, token, { ttl: longTtl });
        await leaveMany(context, store, verb, token);
        await call(store, keyOf({ topic: verb, partition: MANY / 2 }), token);
        await committed(store, living, token, 1n);
      }
    },
  },
];

/** Leaves many expired records at position 5 of one topic. The short time to live comes last, in one step. */
async function leaveMany(
  { shortTtl }: ConformanceContext,
  store: AnyStore,
  topic: string,
  token: string,
): Promise<void> {
  const keys = Array.from({ length: MANY }, (_, partition) => keyOf({ topic, partition }));
  await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
  await store.commit(keys.map((key) => ({ key, token, nextOffset: 5n })));
  await store.expire(keys.map((key) => ({ key, ttl: shortTtl })));
  const isGone = async (): Promise<boolean> => (await store.fetch(keys)).every(({ status }) => status === "absent");
  const endsAt = performance.now() + shortTtl + 10_000;
  while (!(await isGone())) {
    assert.ok(performance.now() < endsAt, `${MANY} records that expire after ${shortTtl} ms are still there`);
    await new Promise((resolve) => setTimeout(resolve, shortTtl / 5));
  }
}
