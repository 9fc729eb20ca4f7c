import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { claim, commit, committed, expire, fetched, found, keyOf, newToken, position, reset } from "../outcomes.ts";
import { eventually } from "../eventually.ts";

/** A session that outlived its record's expiry writes it again. */
export const recreateCases: readonly ConformanceCase[] = [
  {
    id: "recreate/absent",
    clause: "3.11a",
    title: "with recreate a commit that finds no record writes it again under its token, ttl and owner",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      await committed(store, key, token, 7n, { recreate: true, owner: "again", metadata: "m", ttl: longTtl });
      const record = await found(store, key);
      assert.deepEqual(position(record), { nextOffset: 7n, metadata: "m" });
      assert.equal(record.owner, "again");
      assert.equal(record.ttl, longTtl);
      assert.ok(record.claimedAt && record.committedAt && record.expiresAt, "the record must carry its times");
      await committed(store, key, token, 8n);
      assert.deepEqual(await commit(store, key, newToken(), 9n), {
        status: "fenced",
        reason: "superseded",
        owner: "again",
      });
    },
  },
  {
    id: "recreate/expired",
    clause: "3.11a",
    title: "an expired record is recreated from nothing: neither its position nor its ttl comes back",
    run: async ({ store, shortTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 50n, { metadata: "old" });
      await expire(store, key, shortTtl);
      await eventually("the record expires", async () => (await fetched(store, key)) === undefined);
      await committed(store, key, token, 7n, { recreate: true, owner: "again" });
      const record = await found(store, key);
      assert.deepEqual(position(record), { nextOffset: 7n, metadata: "" });
      assert.equal(record.ttl, undefined);
      assert.equal(record.expiresAt, undefined);
    },
  },
  {
    id: "recreate/renewal",
    clause: "3.11a",
    title: "a renewal with recreate writes the claim again without a position",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await committed(store, key, token, undefined, { recreate: true, owner: "idle" });
      const record = await found(store, key);
      assert.equal(record.nextOffset, undefined);
      assert.equal(record.owner, "idle");
      assert.equal(record.committedAt, undefined, "a renewal commits nothing");
      await committed(store, key, token, 1n);
    },
  },
  {
    id: "recreate/repeated",
    clause: "3.4b",
    title: "a recreating commit repeated after an answer was lost is committed, and keeps to the rules of any commit",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      for (let attempt = 0; attempt < 3; attempt += 1) {
        await committed(store, key, token, 7n, { recreate: true, owner: "again" });
      }
      assert.equal((await commit(store, key, token, 6n, { recreate: true, owner: "again" })).status, "behind");
      assert.equal((await found(store, key)).nextOffset, 7n);
    },
  },
  {
    id: "recreate/living-record",
    clause: "3.11b",
    title: "recreate never overwrites a living record: fenced superseded, or reset",
    run: async ({ store }) => {
      const [key, holder, late] = [keyOf(), newToken(), newToken()];
      await claim(store, key, holder, { owner: "holder" });
      await committed(store, key, holder, 10n);
      const before = await found(store, key);
      const refusal = { status: "fenced", reason: "superseded", owner: "holder" };
      assert.deepEqual(await commit(store, key, late, 99n, { recreate: true, owner: "late" }), refusal);
      assert.deepEqual(await commit(store, key, late, undefined, { recreate: true, owner: "late" }), refusal);
      assert.deepEqual(await found(store, key), before);
      await reset(store, key, 3n);
      assert.deepEqual(await commit(store, key, holder, 11n, { recreate: true, owner: "late" }), {
        status: "fenced",
        reason: "reset",
      });
      assert.equal((await found(store, key)).nextOffset, 3n);
    },
  },
  {
    id: "recreate/race",
    clause: "3.11b",
    title: "of eight concurrent commits that recreate one absent key exactly one is committed",
    run: async (context) => {
      const { store } = await context.openAnother();
      for (let round = 0; round < 5; round += 1) {
        const key = keyOf({ partition: round });
        const tokens = Array.from({ length: 8 }, newToken);
        const outcomes = await Promise.all(
          tokens.map((token, index) =>
            commit(index % 2 === 0 ? store : context.store, key, token, BigInt(index), {
              recreate: true,
              owner: `o${index}`,
            }),
          ),
        );
        const winners = outcomes.flatMap((outcome, index) => (outcome.status === "committed" ? [index] : []));
        assert.equal(winners.length, 1, `${winners.length} of 8 commits recreated the same record`);
        const [winner = -1] = winners;
        const record = await found(store, key);
        assert.equal(record.nextOffset, BigInt(winner));
        assert.equal(record.owner, `o${winner}`);
        await committed(store, key, tokens[winner] ?? "", 100n);
      }
    },
  },
];
