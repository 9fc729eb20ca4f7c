import { assert } from "../../assert.ts";
import { OffsetStoreError } from "../../../errors/offset-store-error.ts";
import { endsWithin } from "../../ends-within.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { capabilitiesFault } from "../capabilities-fault.ts";
import { eventually } from "../eventually.ts";
import {
  type AnyStore,
  claim,
  commit,
  committed,
  fetched,
  found,
  keyOf,
  listed,
  newToken,
  position,
  worksOn,
} from "../outcomes.ts";

/** Calls that end early, stores that are closed and opened again. */
export const lifecycleCases: readonly ConformanceCase[] = [
  {
    id: "lifecycle/close-twice",
    clause: "3.9c",
    title: "close may be called twice, also concurrently; every verb after it rejects with CLOSED",
    run: async (context) => {
      const { store } = await context.openAnother();
      await claim(store, keyOf(), newToken());
      await Promise.all([store.close(), store.close()]);
      await store.close();
      await store[Symbol.asyncDispose]();
      for (const [verb, call] of verbs(store)) {
        await assert.rejects(call(), (error: unknown) => {
          assert.ok(error instanceof OffsetStoreError, `${verb}: not an OffsetStoreError: ${String(error)}`);
          assert.equal(error.code, "CLOSED", verb);
          return true;
        });
      }
      assert.ok(await fetched(context.store, keyOf()), "closing one client closed another, or lost its data");
    },
  },
  {
    id: "lifecycle/close-waits",
    clause: "3.9c",
    title: "close lets the calls in flight end, those of several batches too: what they wrote is there",
    run: async (context) => {
      const { store } = await context.openAnother();
      const token = newToken();
      // Twice what one request takes, so that closing falls between two of them.
      const count = Math.min(3_000, store.capabilities.maxBatch * 2);
      const keys = Array.from({ length: count }, (_, partition) => keyOf({ partition }));
      const call = store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      const closed = store.close();
      closed.catch(() => undefined);
      const outcomes = await call;
      assert.deepEqual(
        outcomes.filter(({ status }) => status !== "claimed"),
        [],
      );
      await closed;
      assert.equal((await listed(context.store)).length, count);
    },
  },
  {
    id: "lifecycle/timeout-is-an-option",
    clause: "3.9a",
    title: "a store opened with a timeout ends every call within it, under load too: answered or TIMEOUT",
    run: async (context) => {
      const timeout = 3_000;
      const { store } = await context.openAnother({ timeout });
      const calls = Array.from({ length: 30 }, () => verbs(store).map(([, call]) => call())).flat();
      const slackMs = 2_000;
      const settled = Promise.allSettled(calls);
      const isInTime = await endsWithin(timeout + slackMs, settled);
      assert.ok(isInTime, `a call hangs: not answered ${timeout + slackMs} ms after it was made`);
      for (const result of await settled) {
        if (result.status === "fulfilled") continue;
        assert.ok(result.reason instanceof OffsetStoreError, `not an OffsetStoreError: ${String(result.reason)}`);
        assert.equal(result.reason.code, "TIMEOUT", result.reason.message);
      }
    },
  },
  {
    id: "lifecycle/pre-aborted",
    clause: "3.9b",
    title: "a call whose signal is aborted already rejects with signal.reason and writes nothing",
    run: async ({ store }) => {
      const reason = new Error("the caller's own reason");
      const signal = AbortSignal.abort(reason);
      for (const [verb, call] of verbs(store, signal)) {
        await assert.rejects(call(), (error: unknown) => error === reason, `${verb} did not reject with signal.reason`);
      }
      assert.deepEqual(await listed(store), []);
    },
  },
  {
    id: "lifecycle/abort-in-flight",
    clause: "3.9b",
    title: "calls aborted in flight reject with signal.reason, and leave neither store nor key unusable, however many",
    run: async ({ store }) => {
      const names = verbs(store).map(([verb]) => verb);
      // More often than a client has connections.
      for (const verb of Array.from({ length: 12 }, () => names).flat()) {
        const controller = new AbortController();
        const reason = new Error("the caller's own reason");
        const call = verbs(store, controller.signal).find(([name]) => name === verb)?.[1];
        assert.ok(call);
        await assertRejectsWith(reason, verb, async () => {
          const pending = call();
          controller.abort(reason);
          await pending;
        });
      }
      for (const topic of ["aborted", "afterwards"]) {
        const key = keyOf({ topic });
        await worksOn(`after calls were given up, on the key ${JSON.stringify(key)},`, () =>
          // What was given up may be on its way, and come in between: for a while.
          eventually("a claim and a commit of its token hold", async () => {
            const token = newToken();
            await claim(store, key, token);
            const outcome = await commit(store, key, token, 5n);
            if (outcome.status === "failed") throw outcome.error;
            return outcome.status === "committed" && (await fetched(store, key))?.nextOffset === 5n;
          }),
        );
      }
    },
  },
  {
    id: "lifecycle/abort-while-listing",
    clause: "3.9b",
    title: "a listing aborted between two records rejects with signal.reason instead of the next",
    run: async ({ store }) => {
      const keys = Array.from({ length: 10 }, (_, partition) => keyOf({ partition }));
      await store.claim(keys.map((key) => ({ key, token: newToken(), owner: "o" })));
      const controller = new AbortController();
      const reason = new Error("the caller's own reason");
      let count = 0;
      const listing = (async () => {
        for await (const _ of store.list({}, { signal: controller.signal })) {
          count += 1;
          controller.abort(reason);
        }
      })();
      await assert.rejects(listing, (error: unknown) => error === reason, "list did not reject with signal.reason");
      assert.equal(count, 1, "records were given after the abort");
    },
  },
  {
    id: "lifecycle/durable",
    clause: "3.15",
    title: "what was acknowledged is there after the store was closed and opened again, claims included",
    run: async (context) => {
      const [key, moved, gone, token] = [keyOf(), keyOf({ partition: 1 }), keyOf({ partition: 2 }), newToken()];
      const { store, longTtl } = context;
      await store.claim([key, moved, gone].map((each) => ({ key: each, token, owner: "o", ttl: longTtl })));
      await committed(store, key, token, 2n ** 53n + 1n, { metadata: "kept" });
      await store.reset([{ key: moved, nextOffset: 7n }]);
      await store.delete({ keys: [gone] });
      const before = await found(store, key);
      // Nothing is asked after it: what is kept back until then would be written by that.
      if (context.durable) await committed(store, key, token, 2n ** 53n + 2n, { metadata: "last" });
      const reopened = await context.reopen();
      if (reopened === undefined) {
        const { store: other } = await context.openAnother();
        assert.deepEqual(await found(other, key), before, "a second client sees the same data");
        return context.notPromised('durability: "none"');
      }
      const after = await found(reopened, key);
      assert.equal(after.nextOffset, 2n ** 53n + 2n, "the last commit before closing was lost");
      assert.equal(after.metadata, "last");
      assert.deepEqual(after.claimedAt, before.claimedAt);
      assert.deepEqual(position(await found(reopened, moved)), { nextOffset: 7n, metadata: "" });
      assert.equal(await fetched(reopened, gone), undefined);
      await committed(reopened, key, token, 2n ** 53n + 3n);
      assert.deepEqual(await reopened.commit([{ key: moved, token, nextOffset: 8n }]), [
        { status: "fenced", reason: "reset" },
      ]);
    },
  },
  {
    id: "lifecycle/two-clients",
    clause: "3.15",
    title: "what one client wrote, another reads immediately",
    run: async (context) => {
      const { store: other } = await context.openAnother();
      const token = newToken();
      await claim(context.store, keyOf(), token);
      for (let nextOffset = 0n; nextOffset < 20n; nextOffset += 2n) {
        await committed(context.store, keyOf(), token, nextOffset);
        assert.equal((await found(other, keyOf())).nextOffset, nextOffset);
        await committed(other, keyOf(), token, nextOffset + 1n);
        assert.equal((await listed(context.store))[0]?.nextOffset, nextOffset + 1n);
      }
    },
  },
  {
    id: "lifecycle/capabilities-are-frozen",
    clause: "3.18",
    title: "capabilities are plain frozen data that make sense",
    run: async ({ store }) => {
      const fault = capabilitiesFault(store.capabilities);
      assert.ok(fault === undefined, `capabilities ${fault}`);
      assert.ok(store.name.length > 0);
    },
  },
];

async function assertRejectsWith(reason: Error, verb: string, call: () => Promise<unknown>): Promise<void> {
  const error: unknown = await call().then(
    () => "nothing",
    (thrown: unknown) => thrown,
  );
  assert.ok(error === reason, `${verb} did not reject with signal.reason, but with ${String(error)}`);
}

function verbs(store: AnyStore, signal?: AbortSignal): readonly (readonly [string, () => Promise<unknown>])[] {
  const [key, token] = [keyOf({ topic: "aborted" }), newToken()];
  const options = { signal };
  return [
    ["claim", () => store.claim([{ key, token, owner: "o" }], options)],
    ["commit", () => store.commit([{ key, token, owner: "o", nextOffset: 1n, recreate: true }], options)],
    ["fetch", () => store.fetch([key], options)],
    ["list", () => Array.fromAsync(store.list({}, options))],
    ["reset", () => store.reset([{ key, nextOffset: 1n }], options)],
    ["expire", () => store.expire([{ key, ttl: null }], options)],
    ["delete", () => store.delete({ keys: [key] }, options)],
  ];
}
