import { assert } from "../../assert.ts";
import { OffsetStoreError } from "../../../errors/offset-store-error.ts";
import type { OffsetKey } from "../../../key.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { claim, fetched, found, identities, keyOf, newToken, only } from "../outcomes.ts";

const TIMEOUT_MS = 2_000;

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
      if (!(await context.corrupt(bad))) return assertNothingFails(context, keys, token);
      const fetches = await store.fetch(keys);
      assert.deepEqual(
        fetches.map(({ status }) => status),
        ["found", "failed", "found"],
        "an unreadable record must differ from an absent one",
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
      if (!(await context.corrupt(bad))) return assertNothingFails(context, keys, token);
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
    title: "an operator can delete a corrupt record by its key, and the key is then a new one",
    run: async (context) => {
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      if (!(await context.corrupt(key))) return assertNothingFails(context, [key], token);
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
      if (!(await context.corrupt(bad))) return assertNothingFails(context, [bad, fine], token);
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
      // It may be a later version's: whether it has expired is not known here.
      assert.deepEqual(await store.delete({ expired: true }), [], "a sweep returned a record that cannot be read");
      assert.equal(only(await store.fetch([bad])).status, "failed", "a sweep removed what cannot be read");
      assertCorrupt(only(await store.fetch([bad])), bad);
      await store.delete({ keys: [bad] });
      assert.deepEqual(await store.reset([{ key: bad, nextOffset: 7n }]), [{ status: "reset" }]);
      assert.equal((await found(store, bad)).nextOffset, 7n);
    },
  },
  {
    id: "failure/read-error",
    clause: "3.3d",
    title:
      "a record that the backend fails to give fails its entry in every verb: to none it is absent, and it is as it was",
    run: async (context) => {
      const [bad, fine] = [keyOf({ topic: "bad" }), keyOf({ topic: "fine" })];
      const keys = [bad, fine];
      const token = newToken();
      await context.store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      await context.store.commit(keys.map((key) => ({ key, token, nextOffset: 5n })));
      const restore = await context.makeUnreadable(bad);
      if (restore === undefined) return;
      // One that remembers nothing: a commit may go by what the store wrote.
      const { store } = await context.openAnother({ timeout: TIMEOUT_MS });
      const answers = async (
        verb: string,
        call: Promise<readonly { readonly status: string }[]>,
        other: string,
      ): Promise<void> => {
        const statuses = statusesOf(await call);
        assert.deepEqual(
          statuses,
          ["failed", other],
          `${verb} of a record that the backend fails to give, and of another`,
        );
      };
      try {
        await answers("fetch", store.fetch(keys), "found");
        const commits = keys.map((key) => ({ key, token, nextOffset: 6n, recreate: true, owner: "o" }));
        await answers("commit", store.commit(commits), "committed");
        await answers("expire", store.expire(keys.map((key) => ({ key, ttl: 3_600_000 }))), "set");
        await answers("claim", store.claim(keys.map((key) => ({ key, token: newToken(), owner: "next" }))), "claimed");
        await answers("reset", store.reset(keys.map((key) => ({ key, nextOffset: 1n }))), "reset");
        const swept = await store.delete({ expired: true }).catch(() => []);
        assert.deepEqual(swept, [], "a sweep removed what the backend fails to give");
        await assert.rejects(Array.fromAsync(store.list()), "a listing left out what the backend fails to give");
      } finally {
        await restore();
      }
      const record = await found(context.store, bad);
      assert.equal(record.nextOffset, 5n, "a record that the backend failed to give was written over");
      assert.deepEqual(await store.commit([{ key: bad, token, nextOffset: 7n }]).then(statusesOf), ["committed"]);
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
async function assertNothingFails(
  context: ConformanceContext,
  keys: readonly OffsetKey[],
  token: string,
): Promise<void> {
  const { store } = context;
  context.notPromised('durability: "none"');
  const outcomes = [
    ...(await store.fetch(keys)),
    ...(await store.commit(keys.map((key) => ({ key, token, nextOffset: 6n })))),
  ];
  assert.deepEqual(
    outcomes.filter(({ status }) => status === "failed"),
    [],
  );
}

function statusesOf(outcomes: readonly { readonly status: string }[]): string[] {
  return outcomes.map(({ status }) => status);
}

function assertCorrupt(outcome: unknown, key: OffsetKey): void {
  const { error } = outcome as { error?: unknown };
  assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
  assert.equal(error.code, "CORRUPT_RECORD");
  assert.equal(error.retryable, false);
  assert.deepEqual(error.keys, [key]);
  assert.ok(error.message.includes(key.topic), `the message does not name the key: ${error.message}`);
}
