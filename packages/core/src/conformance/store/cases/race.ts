import { assert } from "../../assert.ts";
import type { CommitOutcome } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { type AnyStore, claim, commit, committed, found, keyOf, newToken } from "../outcomes.ts";

const CLIENTS = 8;
const COMMITS_EACH = 50;
const COMMITS_BEFORE_TAKEOVER = 5;

/** Several processes at once; the counts must be exact. */
export const raceCases: readonly ConformanceCase[] = [
  {
    id: "race/first-claims",
    clause: "3.1c",
    title: "of clients that race for the first claim of a key one token remains, and only its holder commits",
    run: async (context) => {
      const stores = await clients(context);
      for (let round = 0; round < 5; round += 1) {
        const key = keyOf({ partition: round });
        const tokens = stores.map(newToken);
        await Promise.all(stores.map((store, index) => claim(store, key, tokens[index] ?? "", { owner: `o${index}` })));
        const outcomes = await Promise.all(
          stores.map((store, index) => commit(store, key, tokens[index] ?? "", BigInt(index))),
        );
        const winners = outcomes.flatMap(({ status }, index) => (status === "committed" ? [index] : []));
        assert.equal(winners.length, 1, `${winners.length} of ${CLIENTS} tokens hold the same claim`);
        const [winner = -1] = winners;
        const record = await found(context.store, key);
        const shown = `client ${winner} committed ${winner}; the record shows ${record.nextOffset} of ${record.owner}`;
        assert.ok(record.nextOffset === BigInt(winner) && record.owner === `o${winner}`, shown);
        for (const [index, outcome] of outcomes.entries()) {
          if (index === winner) continue;
          assert.deepEqual(outcome, { status: "fenced", reason: "superseded", owner: `o${winner}` });
        }
      }
    },
  },
  {
    id: "race/claim-then-commit",
    clause: "3.1a",
    title: `${CLIENTS} clients claim once each among ${CLIENTS * COMMITS_EACH} commits: a fenced client stays fenced, one holder remains`,
    run: async (context) => {
      const stores = await clients(context);
      const key = keyOf();
      const tokens = stores.map(newToken);
      // Each takes over from one that is in the middle of its commits.
      const underWay = stores.map(() => Promise.withResolvers<void>());
      const results = await Promise.all(
        stores.map(async (store, index) => {
          const token = tokens[index] ?? "";
          const outcomes: CommitOutcome[] = [];
          await underWay[index - 1]?.promise;
          let next = (await claim(store, key, token, { owner: `o${index}` }))?.nextOffset ?? 0n;
          for (let count = 0; count < COMMITS_EACH; count += 1) {
            const outcome = await commit(store, key, token, (next += 1n));
            outcomes.push(outcome);
            if (count === COMMITS_BEFORE_TAKEOVER) underWay[index]?.resolve();
            if (outcome.status === "behind") assert.fail("behind although only the holder of the claim writes");
          }
          return outcomes;
        }),
      );
      // A client may have ended before the next one claimed: who holds the claim now is what a renewal says.
      const renewals = await Promise.all(stores.map((store, index) => commit(store, key, tokens[index] ?? "")));
      const holders = renewals.flatMap(({ status }, index) => (status === "committed" ? [index] : []));
      assert.equal(holders.length, 1, `${holders.length} clients hold the claim`);
      const [holder = -1] = holders;
      for (const [index, outcomes] of results.entries()) {
        const fencedAt = outcomes.findIndex(({ status }) => status === "fenced");
        if (index === holder) assert.equal(fencedAt, -1, "the holder of the last claim was fenced");
        const isAgain = fencedAt >= 0 && outcomes.slice(fencedAt).some(({ status }) => status !== "fenced");
        assert.ok(!isAgain, `client ${index} was fenced by commit ${fencedAt + 1}, and committed after it`);
      }
      // A claim found what was committed before it, and positions are steps of one: nothing was lost, nothing written twice.
      const acknowledged = results.flat().filter(({ status }) => status === "committed").length;
      const record = await found(context.store, key);
      assert.equal(record.nextOffset, BigInt(acknowledged), "the position is not the number of acknowledged steps");
      const shown = `client ${holder} holds the claim, and the record shows the owner ${record.owner}`;
      assert.equal(record.owner, `o${holder}`, shown);
    },
  },
  {
    id: "race/shared-token",
    clause: "3.1a",
    title: `${CLIENTS} workers that share a token commit ${CLIENTS * COMMITS_EACH} positions: the highest remains, none is lost`,
    run: async (context) => {
      const stores = await clients(context);
      const [key, token] = [keyOf(), newToken()];
      await claim(context.store, key, token);
      const results = await Promise.all(
        stores.map(async (store, worker) => {
          const seen: [bigint, CommitOutcome][] = [];
          for (let count = 0; count < COMMITS_EACH; count += 1) {
            // Each worker comes last in some rounds: a store that reads first and writes later puts the lower one over it.
            const nextOffset = BigInt(count * CLIENTS + ((worker + count) % CLIENTS) + 1);
            seen.push([nextOffset, await commit(store, key, token, nextOffset)]);
          }
          return seen;
        }),
      );
      const last = BigInt(CLIENTS * COMMITS_EACH);
      for (const [sent, outcome] of results.flat()) {
        if (outcome.status === "committed") continue;
        assert.equal(outcome.status, "behind");
        const stored = "record" in outcome ? outcome.record.nextOffset : undefined;
        assert.ok(stored !== undefined && stored > sent, `${sent} is reported to be behind ${stored}`);
      }
      assert.equal((await found(context.store, key)).nextOffset, last, "the highest position was lost");
      assert.equal(results.flat().find(([sent]) => sent === last)?.[1].status, "committed");
    },
  },
  {
    id: "race/partitions-side-by-side",
    clause: "3.1a",
    title: "sessions that hold different partitions of one consumer and topic lose none of each other's commits",
    run: async (context) => {
      const stores = await clients(context);
      const tokens = stores.map(newToken);
      await Promise.all(
        stores.map(async (store, partition) => {
          const [key, token] = [keyOf({ partition }), tokens[partition] ?? ""];
          await claim(store, key, token);
          for (let nextOffset = 1n; nextOffset <= 20n; nextOffset += 1n) await committed(store, key, token, nextOffset);
        }),
      );
      for (const [partition] of stores.entries()) {
        assert.equal((await found(context.store, keyOf({ partition }))).nextOffset, 20n);
      }
    },
  },
  {
    id: "race/reset-against-commits",
    clause: "3.1a",
    title: "a reset among commits wins: from it on the session is fenced and the operator's position stays",
    run: async (context) => {
      const { store: operator } = await context.openAnother();
      const { store } = context;
      for (let round = 0; round < 5; round += 1) {
        const [key, token] = [keyOf({ partition: round }), newToken()];
        await claim(store, key, token);
        const session = (async () => {
          const outcomes: CommitOutcome[] = [];
          for (let next = 100n; next < 120n; next += 1n) outcomes.push(await commit(store, key, token, next));
          return outcomes;
        })();
        session.catch(() => undefined);
        await operator.reset([{ key, nextOffset: 3n }]);
        assert.equal((await found(operator, key)).nextOffset, 3n);
        const outcomes = await session;
        assert.equal((await found(operator, key)).nextOffset, 3n, "a commit landed on the operator's position");
        const fencedAt = outcomes.findIndex(({ status }) => status === "fenced");
        if (fencedAt < 0) continue;
        for (const outcome of outcomes.slice(fencedAt)) {
          assert.deepEqual(outcome, { status: "fenced", reason: "reset" });
        }
      }
    },
  },
  {
    id: "race/expire-among-commits",
    clause: "3.1a",
    title: "a new ttl among commits changes no position: none goes back, and none is lost",
    run: async (context) => {
      const { store } = context;
      const { store: operator } = await context.openAnother();
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      let acknowledged = 0n;
      let committing = true;
      const session = (async () => {
        for (let next = 1n; next <= 60n; next += 1n) {
          await committed(store, key, token, next);
          acknowledged = next;
        }
      })().finally(() => (committing = false));
      session.catch(() => undefined);
      for (let round = 0; committing; round += 1) {
        await operator.expire([{ key, ttl: round % 2 === 0 ? context.longTtl : null }]);
        const before = acknowledged;
        const { nextOffset = 0n } = await found(operator, key);
        assert.ok(nextOffset >= before, `the position went back from ${before} to ${nextOffset} when a ttl was set`);
        // A store in memory answers without ever leaving the microtasks.
        await new Promise((resolve) => setImmediate(resolve));
      }
      await session;
      assert.equal((await found(operator, key)).nextOffset, 60n, "the position went back when a ttl was set");
    },
  },
  {
    id: "race/batches-in-any-order",
    clause: "3.1e",
    title:
      "clients that write the same keys in batches of different orders are all answered: no two wait for each other",
    run: async (context) => {
      const stores = (await clients(context)).slice(0, 4);
      const keys = Array.from({ length: 20 }, (_, partition) => keyOf({ topic: `t${partition % 2}`, partition }));
      const rounds = 16;
      await context.store.claim(keys.map((key) => ({ key, token: newToken(), owner: "o" })));
      for (let round = 1; round <= rounds; round += 1) {
        // Resets: a store does not repeat them, so that none may fail. All at once, half of them the other way round.
        const batches = stores.map(async (store, index) => {
          const rotated = [...keys.slice(4 * index), ...keys.slice(0, 4 * index)];
          const mine = index % 2 === 0 ? rotated : rotated.toReversed();
          return store.reset(mine.map((key) => ({ key, nextOffset: BigInt(round) })));
        });
        for (const batch of await Promise.allSettled(batches)) {
          if (batch.status === "rejected") assert.fail(`a batch failed: ${String(batch.reason)}`);
          for (const outcome of batch.value) assert.deepEqual(outcome, { status: "reset" });
        }
      }
      for (const key of keys) assert.equal((await found(context.store, key)).nextOffset, BigInt(rounds));
    },
  },
];

async function clients(context: ConformanceContext): Promise<AnyStore[]> {
  const opened = await Promise.all(Array.from({ length: CLIENTS - 1 }, () => context.openAnother()));
  return [context.store, ...opened.map(({ store }) => store)];
}
