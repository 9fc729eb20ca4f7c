import type { OffsetStore } from "../../../offset-store.ts";
import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { leaveExpired, untilExpired } from "../expiry-times.ts";
import { claim, commit, committed, fetched, found, identities, keyOf, listed, newToken } from "../outcomes.ts";

const MANY = 2_500;
/** How often what a standstill of the machine has spoiled is done again, each time with twice the TTL. */
const ROUNDS = 6;

/** Expired records are removed, and nothing else. */
export const sweepCases: readonly ConformanceCase[] = [
  {
    id: "sweep/removes-expired-only",
    clause: "3.6a",
    title:
      "delete({ expired: true }) removes expired records from the backend, returns their keys, and removes no other",
    run: async (context) => {
      const { store, longTtl } = context;
      const [mortal, immortal, dead] = [keyOf({ partition: 1 }), keyOf({ partition: 2 }), keyOf({ partition: 3 })];
      await claim(store, mortal, newToken(), { ttl: longTtl });
      await claim(store, immortal, newToken());
      await leaveExpired(context, dead);
      const removed = await store.delete({ expired: true });
      // A backend that takes space back by itself may have done so already; then there was nothing left to remove.
      if (removed.length > 0 || context.capabilities.expiry.reclaim === "on-write") {
        assert.deepEqual(
          identities(removed),
          identities([dead]),
          "the sweep returned other keys than those it removed",
        );
      }
      assert.notEqual(await context.peek(dead), true, "the expired record is still kept after the sweep");
      assert.notEqual(await context.peek(mortal), false, "the sweep removed a living record");
      assert.deepEqual(await store.delete({ expired: true }), []);
      assert.deepEqual(identities(await listed(store)), identities([mortal, immortal]));
    },
  },
  {
    id: "sweep/many",
    clause: "3.6a",
    title: `a sweep removes ${MANY} expired records, more than any page, and leaves those beside them that live`,
    run: async (context) => {
      const { store, shortTtl, longTtl } = context;
      const keys = Array.from({ length: MANY }, (_, index) =>
        keyOf({ topic: `t${index % 5}`, partition: Math.floor(index / 5) }),
      );
      const living = [0, 1, 2, 3, 4].map((topic) => keyOf({ topic: `t${topic}`, partition: MANY }));
      const token = newToken();
      await store.claim([...keys, ...living].map((key) => ({ key, token, owner: "o", ttl: longTtl })));
      await store.expire(keys.map((key) => ({ key, ttl: shortTtl })));
      await untilExpired(context, keys, shortTtl);
      const removed = identities(await store.delete({ expired: true }));
      const expected = new Set(identities(keys));
      assert.deepEqual(
        removed.filter((name) => !expected.has(name)),
        [],
        "the sweep returned what had not expired",
      );
      // Some may be taken back beside the others' removal: returned or not, none is left.
      const isTold = removed.length > 0 || context.capabilities.expiry.reclaim === "native";
      assert.ok(isTold, `a sweep of ${MANY} expired records returned none`);
      // From all over what may be pages.
      for (const key of keys.filter((_, index) => index % 100 === 0 || index === MANY - 1)) {
        assert.notEqual(await context.peek(key), true, `the sweep left ${JSON.stringify(key)}, which had expired`);
      }
      assert.deepEqual(await store.delete({ expired: true }), [], "a sweep returned what one before it has removed");
      assert.deepEqual(identities(await listed(store)), identities(living));
    },
  },
  {
    id: "sweep/nothing-expired",
    clause: "3.6a",
    title: "delete({ expired: true }) where nothing has expired removes nothing",
    run: async ({ store, longTtl }) => {
      assert.deepEqual(await store.delete({ expired: true }), []);
      const token = newToken();
      await claim(store, keyOf(), token, { ttl: longTtl });
      assert.deepEqual(await store.delete({ expired: true }), []);
      await committed(store, keyOf(), token, 1n);
    },
  },
  {
    id: "sweep/never-removes-a-claimed-one",
    clause: "3.6b",
    title: "an expired record that is claimed again while sweeps run stays",
    run: async (context) => {
      const { store, shortTtl } = context;
      const { store: sweeper } = await context.openAnother();
      const keys = Array.from({ length: 40 }, (_, partition) => keyOf({ partition }));
      for (let round = 0; round < 3; round += 1) {
        await store.claim(keys.map((key) => ({ key, token: newToken(), owner: "expired", ttl: shortTtl })));
        await untilExpired(context, keys, shortTtl);
        const token = newToken();
        const work = keys.flatMap((key, index) => [
          claim(store, key, token, { ttl: context.longTtl }),
          ...(index % 8 === 0 ? [sweeper.delete({ expired: true })] : []),
        ]);
        await Promise.all(work);
        await sweeper.delete({ expired: true });
        for (const key of keys) await committed(store, key, token, BigInt(round));
        await store.delete({ keys });
      }
    },
  },
  {
    id: "sweep/never-removes-a-renewed-one",
    clause: "3.6b",
    title: "a record whose renewal was acknowledged at the moment of its expiry is not swept",
    run: async (context) => {
      const { store: sweeper } = await context.openAnother();
      // A machine that stands still may let all of them expire before one is renewed: that shows nothing, and more time is given.
      for (let round = 0; round < ROUNDS; round += 1) {
        if (await renewWhileSwept(context, sweeper, round)) return;
      }
    },
  },
];

/** Renews records at the moment of their expiry while another sweeps; whether a sweep had seen one of them before it was renewed. */
async function renewWhileSwept(
  context: ConformanceContext,
  sweeper: OffsetStore<never>,
  round: number,
): Promise<boolean> {
  const { store, longTtl } = context;
  const ttl = context.shortTtl * 2 ** round;
  const keys = Array.from({ length: 40 }, (_, partition) => keyOf({ topic: `orders-${round}`, partition }));
  // This one is not renewed: once it is gone, so is the time that the others had at first.
  const unrenewed = keyOf({ topic: `orders-${round}`, partition: keys.length });
  const token = newToken();
  await store.claim([...keys, unrenewed].map((key) => ({ key, token, owner: "o" })));
  await store.expire([...keys, unrenewed].map((key) => ({ key, ttl })));
  const renewed: typeof keys = [];
  let sweeping = true;
  let isSwept = false;
  let isSeen = false;
  const sweeps = (async () => {
    while (sweeping) {
      await sweeper.delete({ expired: true });
      isSwept = true;
      // A store in memory answers without ever leaving the microtasks: without this no timer would fire again.
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  // It may fail long before anybody waits for it.
  sweeps.catch(() => undefined);
  try {
    const endsAt = performance.now() + ttl;
    // Renewals are spread over the time of expiry: some come before it, some after.
    for (const [index, key] of keys.entries()) {
      const wasSwept = isSwept;
      const outcome = await commit(store, key, token, undefined, { ttl: longTtl });
      if (outcome.status === "committed") {
        renewed.push(key);
        isSeen ||= wasSwept;
      } else assert.deepEqual(outcome, { status: "fenced", reason: "absent" });
      const pauseMs = (endsAt - performance.now()) / (keys.length - index);
      if (pauseMs > 1) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await untilExpired(context, [unrenewed], ttl);
    await sweeper.delete({ expired: true });
  } finally {
    sweeping = false;
    await sweeps;
  }
  for (const key of renewed) await found(store, key);
  for (const key of keys) if (!renewed.includes(key)) assert.equal(await fetched(store, key), undefined);
  return isSeen;
}
