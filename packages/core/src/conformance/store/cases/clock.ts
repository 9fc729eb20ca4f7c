import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import { untilClockTicks } from "../clock.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { untilExpired } from "../expiry-times.ts";
import {
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
} from "../outcomes.ts";

const MINUTE_MS = 60_000;
/** Less than what clients put right by themselves that sign their requests (S3's: 5 minutes), and less than servers refuse. */
const SKEW_MS = 4 * MINUTE_MS;
/** Less than the clocks differ: who goes by the wrong one takes the living for dead, and the dead for living. */
const TTL_MS = 2 * MINUTE_MS;

/** Whose clock decides. An embedded store's is this process's own, and there is no other. */
export const clockCases: readonly ConformanceCase[] = [
  {
    id: "clock/of-the-store",
    clause: "3.5d",
    title:
      "the clock of a client that is four minutes wrong decides nothing: not what has expired, and no time of a record",
    run: async (context) => {
      if (!context.isRemote()) return;
      const { store } = context;
      const { store: wrong } = await context.openAnother();
      const key = keyOf({ topic: "right" });
      for (const skewMs of [SKEW_MS, -SKEW_MS]) {
        const hasSkew = `through a client whose clock is ${skewMs / MINUTE_MS} minutes off`;
        const [other, token] = [keyOf({ topic: "wrong" }), newToken()];
        await claim(store, key, token, { ttl: TTL_MS });
        await committed(store, key, token, 1n);
        const { claimedAt: right } = await found(store, key);
        const keys = [other, ...["recreated", "moved", "lengthened"].map((topic) => keyOf({ topic }))];
        const [, recreated, moved, lengthened] = keys as [OffsetKey, OffsetKey, OffsetKey, OffsetKey];
        await claim(store, lengthened, token);
        const setRight = await context.setClientClock(skewMs);
        try {
          assert.ok(await fetched(wrong, key), `a living record is absent ${hasSkew}`);
          assert.equal((await commit(wrong, key, token, 2n)).status, "committed", `a commit was refused ${hasSkew}`);
          assert.equal((await listed(wrong)).length, 2, `a living record is not listed ${hasSkew}`);
          assert.deepEqual(await wrong.delete({ expired: true }), [], `a living record was swept ${hasSkew}`);
          await claim(wrong, other, token, { ttl: TTL_MS });
          await committed(wrong, other, token, 3n);
          // It carries the time of the commit along, which this client may not know yet.
          await committed(wrong, other, token);
          await committed(wrong, recreated, token, 4n, { recreate: true, owner: "again", ttl: TTL_MS });
          await reset(wrong, moved, 5n, { ttl: TTL_MS });
          await expire(wrong, lengthened, TTL_MS);
        } finally {
          await setRight();
        }
        assert.deepEqual(
          identities(await listed(store)),
          identities([key, ...keys]),
          `what was written ${hasSkew} expired`,
        );
        for (const written of keys) {
          const record = await found(store, written);
          for (const field of ["claimedAt", "committedAt", "updatedAt", "expiresAt"] as const) {
            const time = record[field]?.getTime();
            const expected = (right?.getTime() ?? 0) + (field === "expiresAt" ? TTL_MS : 0);
            if (time === undefined) continue;
            // Far from the clocks' difference, and from what a busy machine may take.
            const offMs = time - expected;
            assert.ok(Math.abs(offMs) < TTL_MS, `${field} is ${offMs} ms off, written ${hasSkew} (${written.topic})`);
          }
        }
        const { epoch } = await found(store, other);
        await untilClockTicks(store);
        await store.delete({ keys: [key, ...keys] });
        // An epoch goes by the clock where nothing else is left: by a client's it would be far ahead, or come again.
        const again = await claimed(store, other, newToken());
        assert.ok(again.epoch > epoch, `an epoch went back from ${epoch} to ${again.epoch}, given ${hasSkew}`);
        await store.delete({ keys: [other] });
      }
    },
  },
  {
    id: "clock/set-back",
    clause: "3.5b",
    title: "a holder whose clock is set back meanwhile finds its expired record absent all the same",
    run: async (context) => {
      if (!context.isRemote()) return;
      const ttl = Math.max(400, 2 * context.capabilities.expiry.granularityMs);
      const { store: holder } = await context.openAnother();
      const [key, token] = [keyOf(), newToken()];
      await claim(holder, key, token);
      await committed(holder, key, token, 1n, { ttl: 3_600_000 });
      // The short time to live comes last, in one step.
      await committed(holder, key, token, undefined, { ttl });
      const sentAt = Date.now();
      await untilExpired(context, [key], ttl);
      // As if no time had passed: only on a clock that cannot be set does the holder see that it has.
      const setRight = await context.setClientClock(sentAt - Date.now());
      try {
        const outcome = await commit(holder, key, token, 2n);
        assert.deepEqual(outcome, { status: "fenced", reason: "absent" }, "a commit of an expired record is written");
      } finally {
        await setRight();
      }
      assert.equal(await fetched(context.store, key), undefined);
    },
  },
];
