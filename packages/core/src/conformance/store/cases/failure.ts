import assert from "node:assert/strict";

import { OffsetStoreError } from "../../../errors/offset-store-error.ts";
import type { OffsetKey } from "../../../key.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { eventually } from "../eventually.ts";
import {
  type AnyStore,
  claim,
  commit,
  committed,
  fetched,
  found,
  identities,
  keyOf,
  listed,
  newToken,
  only,
} from "../outcomes.ts";

/** An error is never an answer. */
export const failureCases: readonly ConformanceCase[] = [
  {
    id: "failure/corrupt-fails-alone",
    clause: "3.3a",
    title: "a corrupt record fails its own entry with CORRUPT_RECORD and the others of the batch are answered",
    run: async (context) => {
      const { store } = context;
      const [left, bad, right] = [keyOf({ topic: "a" }), keyOf({ topic: "b" }), keyOf({ topic: "c" })];
      const keys = [left, bad, right];
      const token = newToken();
      await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      await store.commit(keys.map((key) => ({ key, token, nextOffset: 5n })));
      if (!(await context.corrupt(bad))) return assertNothingFails(store, keys, token);
      const fetches = await store.fetch(keys);
      assert.deepEqual(
        fetches.map(({ status }) => status),
        ["found", "failed", "found"],
        "an unreadable record must be told from an absent one",
      );
      assertCorrupt(fetches[1], bad);
      const commits = await store.commit(keys.map((key) => ({ key, token, nextOffset: 6n, recreate: true })));
      assert.deepEqual(
        commits.map(({ status }) => status),
        ["committed", "failed", "committed"],
      );
      assertCorrupt(commits[1], bad);
      const claims = await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      assert.deepEqual(
        claims.map(({ status }) => status),
        ["claimed", "failed", "claimed"],
        "a claim must not overwrite what it cannot read",
      );
      assertCorrupt(claims[1], bad);
      assertCorrupt(only(await store.fetch([bad])), bad);
      assert.equal((await found(store, right)).nextOffset, 6n);
    },
  },
  {
    id: "failure/list-names-the-unreadable",
    clause: "3.3b",
    title: "list gives all that can be read, then rejects with an error that names what cannot",
    run: async (context) => {
      const { store } = context;
      const keys = ["a", "b", "c", "d"].map((topic) => keyOf({ topic }));
      const [bad = keyOf(), ...readable] = keys;
      const token = newToken();
      await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      if (!(await context.corrupt(bad))) return assertNothingFails(store, keys, token);
      const seen: OffsetKey[] = [];
      const listing = (async () => {
        for await (const record of store.list()) seen.push(record);
      })();
      await assert.rejects(listing, (error: unknown) => {
        assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
        assert.equal(error.code, "CORRUPT_RECORD");
        assert.equal(error.operation, "list");
        assert.deepEqual(identities(error.keys), identities([bad]));
        return true;
      });
      assert.deepEqual(identities(seen), identities(readable));
    },
  },
  {
    id: "failure/corrupt-can-be-deleted",
    clause: "3.3a",
    title: "an operator can delete a corrupt record by its key, and the key starts anew",
    run: async (context) => {
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      if (!(await context.corrupt(key))) return assertNothingFails(store, [key], token);
      await store.delete({ keys: [key] });
      assert.deepEqual(await store.fetch([key]), [{ status: "absent" }]);
      assert.equal(await claim(store, key, newToken()), undefined);
    },
  },
  {
    id: "failure/corrupt-is-not-overwritten",
    clause: "3.3a",
    title: "reset and expire fail with CORRUPT_RECORD too and leave the record as it is; once it is deleted they work",
    run: async (context) => {
      const { store } = context;
      const [bad, fine] = [keyOf({ topic: "bad" }), keyOf({ topic: "fine" })];
      const token = newToken();
      await store.claim([bad, fine].map((key) => ({ key, token, owner: "o" })));
      if (!(await context.corrupt(bad))) return assertNothingFails(store, [bad, fine], token);
      const resets = await store.reset([bad, fine].map((key) => ({ key, nextOffset: 7n, ttl: null })));
      assert.deepEqual(
        resets.map(({ status }) => status),
        ["failed", "reset"],
        "a reset must not overwrite what it cannot read",
      );
      assertCorrupt(resets[0], bad);
      const expiries = await store.expire([bad, fine].map((key) => ({ key, ttl: 3_600_000 })));
      assert.deepEqual(
        expiries.map(({ status }) => status),
        ["failed", "set"],
        "a new ttl must not overwrite what cannot be read",
      );
      assertCorrupt(expiries[0], bad);
      // It may be a later version's: whether it has expired nobody can tell here.
      assert.deepEqual(await store.delete({ expired: true }), [], "a sweep tells of a record that cannot be read");
      assert.equal(only(await store.fetch([bad])).status, "failed", "a sweep removed what cannot be read");
      assertCorrupt(only(await store.fetch([bad])), bad);
      await store.delete({ keys: [bad] });
      assert.deepEqual(await store.reset([{ key: bad, nextOffset: 7n }]), [{ status: "reset" }]);
      assert.equal((await found(store, bad)).nextOffset, 7n);
    },
  },
  {
    id: "failure/outage",
    clause: "3.3c",
    title: "a store that cannot be reached fails, within its timeout, and never answers absent; it recovers by itself",
    run: async (context) => {
      const timeout = 2_000;
      const opened = await context.openAnother({ timeout });
      const { store } = opened;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n);
      if (context.connection === "embedded") {
        assert.equal(opened.interrupt, undefined, "an embedded store has no connection to cut: leave `interrupt` out");
        return;
      }
      const restore = await context.interrupt(opened);
      try {
        await assertUnreachable(timeout, () => store.fetch([key]));
        await assertUnreachable(timeout, () => store.commit([{ key, token, nextOffset: 11n }]));
        await assertUnreachable(timeout, async () => {
          for await (const record of store.list())
            assert.fail(`listed ${String(record.nextOffset)} without a connection`);
        });
      } finally {
        await restore();
      }
      await assertRecovers(store, key, token);
      assert.equal((await found(context.store, key)).nextOffset, 12n);
    },
  },
  {
    id: "failure/silence",
    clause: "3.9a",
    title: "every verb ends within its timeout although the server never answers, and the store recovers by itself",
    run: async (context) => {
      const timeout = 2_000;
      const opened = await context.openAnother({ timeout });
      const { store } = opened;
      const [key, other, token] = [keyOf(), keyOf({ topic: "other" }), newToken()];
      await claim(store, key, token);
      if (context.connection === "embedded") {
        assert.equal(opened.silence, undefined, "an embedded store waits for no server: leave `silence` out");
        return;
      }
      const restore = await context.silence(opened);
      try {
        const calls: readonly (() => Promise<unknown>)[] = [
          () => store.claim([{ key: other, token, owner: "o" }]),
          () => store.commit([{ key, token, nextOffset: 11n }]),
          () => store.fetch([key]),
          () => listed(store),
          () => store.reset([{ key: other, nextOffset: 1n }]),
          () => store.expire([{ key: other, ttl: null }]),
          () => store.delete({ keys: [other] }),
        ];
        await Promise.all(calls.map((call) => assertUnreachable(timeout, call)));
      } finally {
        await restore();
      }
      await assertRecovers(store, key, token);
    },
  },
  {
    id: "failure/confirmed-miss",
    clause: "3.3d",
    title: "only a confirmed miss is absent: a claimed key without a position is found",
    run: async ({ store }) => {
      assert.equal(await fetched(store, keyOf()), undefined);
      await claim(store, keyOf(), newToken());
      assert.equal(only(await store.fetch([keyOf()])).status, "found");
    },
  },
];

/** Where no record has a form that could be damaged, every entry must be answered. */
async function assertNothingFails(store: AnyStore, keys: readonly OffsetKey[], token: string): Promise<void> {
  const outcomes = [
    ...(await store.fetch(keys)),
    ...(await store.commit(keys.map((key) => ({ key, token, nextOffset: 6n })))),
  ];
  assert.deepEqual(
    outcomes.filter(({ status }) => status === "failed"),
    [],
  );
}

function assertCorrupt(outcome: unknown, key: OffsetKey): void {
  const { error } = outcome as { error?: unknown };
  assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
  assert.equal(error.code, "CORRUPT_RECORD");
  assert.equal(error.retryable, false);
  assert.deepEqual(error.keys, [key]);
  assert.ok(error.message.includes(key.topic), `the message does not name the key: ${error.message}`);
}

async function assertRecovers(store: AnyStore, key: OffsetKey, token: string): Promise<void> {
  await eventually("the store recovers once its connection is back", async () => {
    try {
      return (await commit(store, key, token, 12n)).status === "committed";
    } catch (error) {
      if (error instanceof OffsetStoreError && error.retryable) return false;
      throw error;
    }
  });
}

async function assertUnreachable(timeoutMs: number, call: () => Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  const slackMs = 2_000;
  let error: unknown;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const hangs = new assert.AssertionError({
      message: `a call hangs: not answered ${timeoutMs + slackMs} ms after it was made`,
    });
    timer = setTimeout(reject, timeoutMs + slackMs, hangs);
  });
  try {
    const answer = await Promise.race([call(), tooLate]);
    const failed = Array.isArray(answer) ? (answer as { status: string; error?: unknown }[]) : [];
    assert.ok(failed.length > 0 && failed.every(({ status }) => status === "failed"), "answered without a connection");
    error = failed[0]?.error;
  } catch (thrown) {
    if (thrown instanceof assert.AssertionError) throw thrown;
    error = thrown;
  } finally {
    clearTimeout(timer);
  }
  assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
  assert.ok(error.code === "UNAVAILABLE" || error.code === "TIMEOUT", `${error.code}: ${error.message}`);
  assert.equal(error.retryable, true);
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < timeoutMs + slackMs, `the call took ${Math.round(tookMs)} ms; its timeout is ${timeoutMs} ms`);
}
