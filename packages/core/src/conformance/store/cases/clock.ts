import assert from "node:assert/strict";

import type { ConformanceCase } from "../conformance-case.ts";
import { claim, commit, committed, fetched, found, identities, keyOf, listed, newToken } from "../outcomes.ts";

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
      if (context.connection === "embedded") return;
      const { store } = context;
      const { store: wrong } = await context.openAnother();
      const key = keyOf({ topic: "right" });
      for (const skewMs of [SKEW_MS, -SKEW_MS]) {
        const hasSkew = `through a client whose clock is ${skewMs / MINUTE_MS} minutes off`;
        const [other, token] = [keyOf({ topic: "wrong" }), newToken()];
        await claim(store, key, token, { ttl: TTL_MS });
        await committed(store, key, token, 1n);
        const { claimedAt: right } = await found(store, key);
        const setRight = await context.setClientClock(skewMs);
        try {
          assert.ok(await fetched(wrong, key), `a living record is absent ${hasSkew}`);
          assert.equal((await commit(wrong, key, token, 2n)).status, "committed", `a commit was refused ${hasSkew}`);
          assert.equal((await listed(wrong)).length, 1, `a living record is not listed ${hasSkew}`);
          assert.deepEqual(await wrong.delete({ expired: true }), [], `a living record was swept ${hasSkew}`);
          await claim(wrong, other, token, { ttl: TTL_MS });
          await committed(wrong, other, token, 3n);
        } finally {
          await setRight();
        }
        assert.deepEqual(
          identities(await listed(store)),
          identities([key, other]),
          `what was written ${hasSkew} expired`,
        );
        const record = await found(store, other);
        for (const field of ["claimedAt", "committedAt", "expiresAt"] as const) {
          const expected = (right?.getTime() ?? 0) + (field === "expiresAt" ? TTL_MS : 0);
          const offMs = (record[field]?.getTime() ?? 0) - expected;
          // Far from the clocks' difference, and from what a busy machine may take.
          assert.ok(Math.abs(offMs) < TTL_MS, `${field} is ${offMs} ms off, written ${hasSkew}`);
        }
        await store.delete({ keys: [key, other] });
      }
    },
  },
];
