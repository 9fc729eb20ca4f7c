import { AssertionError } from "node:assert";
import { assert } from "../../assert.ts";
import { OffsetStoreError } from "../../../errors/offset-store-error.ts";
import type { OffsetKey } from "../../../key.ts";
import { endsWithin } from "../../ends-within.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { eventually } from "../eventually.ts";
import { type AnyStore, claim, commit, committed, found, identities, keyOf, listed, newToken } from "../outcomes.ts";

/** Long enough for a slow server on which many cases run at once to answer within it. */
const TIMEOUT_MS = 4_000;
const SLACK_MS = 4_000;
/** More often than a client has connections. */
const TIMES = 12;

/** What becomes of calls while a store cannot be reached. An embedded store has no connection that could break; its disk may be gone. */
export const outageCases: readonly ConformanceCase[] = [
  {
    id: "failure/outage",
    clause: "3.3c",
    title: "a store that cannot be reached fails every verb, never answers absent or nothing, and recovers by itself",
    run: async (context) => {
      const opened = await context.openAnother({ timeout: TIMEOUT_MS });
      const { store } = opened;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n);
      const restore = await context.makeUnavailable(opened);
      if (restore === undefined) return;
      try {
        const many = Array.from({ length: TIMES }, () => callsOf(store, key, token)).flat();
        await Promise.all(many.map(([verb, call]) => assertUnreachable(verb, call)));
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
    title:
      "every verb ends within its timeout although the server never answers, however often; the store recovers by itself",
    run: async (context) => {
      const opened = await context.openAnother({ timeout: TIMEOUT_MS });
      const { store } = opened;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      if (!context.isRemote()) {
        assert.equal(opened.silence, undefined, "an embedded store waits for no server: leave `silence` out");
        return;
      }
      const restore = await context.silence(opened);
      try {
        const many = Array.from({ length: TIMES }, () => callsOf(store, keyOf({ topic: "other" }), token)).flat();
        await Promise.all(many.map(([verb, call]) => assertUnreachable(verb, call)));
      } finally {
        await restore();
      }
      await assertRecovers(store, key, token);
    },
  },
  {
    id: "failure/listing-cut-off",
    clause: "3.3c",
    title: "a listing whose connection breaks in the middle rejects, and does not end as if it were complete",
    run: async (context) => {
      if (!context.isRemote()) return;
      const opened = await context.openAnother({ timeout: TIMEOUT_MS });
      const keys = Array.from({ length: 2_500 }, (_, index) =>
        keyOf({ topic: `t${index % 100}`, partition: Math.floor(index / 100) }),
      );
      await context.store.reset(keys.map((key) => ({ key, nextOffset: 1n, metadata: "x".repeat(2_000) })));
      const seen: OffsetKey[] = [];
      let restore: (() => Promise<void>) | undefined;
      try {
        for await (const { consumer, topic, partition } of opened.store.list()) {
          seen.push({ consumer, topic, partition });
          restore ??= await context.interrupt(opened);
        }
        // What was there before the connection broke may have been all.
        assert.deepEqual(
          identities(seen),
          identities(keys),
          `a listing whose connection broke ended after ${seen.length} of ${keys.length} records`,
        );
      } catch (error) {
        if (error instanceof AssertionError) throw error;
        assertPassing("list", error);
      } finally {
        await restore?.();
      }
    },
  },
  {
    id: "failure/holder-cut-off",
    clause: "3.1d",
    title:
      "a holder that was cut off, or not answered, while another took over writes nothing once it is back: superseded",
    run: async (context) => {
      if (!context.isRemote()) return;
      for (const [partition, fault] of (["interrupt", "silence"] as const).entries()) {
        const { store } = context;
        const holder = await context.openAnother({ timeout: TIMEOUT_MS });
        const [key, older, newer] = [keyOf({ partition }), newToken(), newToken()];
        await claim(holder.store, key, older, { owner: "older" });
        await committed(holder.store, key, older, 10n);
        const restore = await context[fault](holder);
        // Under way while the other takes over; it may arrive at any time.
        const underWay = holder.store.commit([{ key, token: older, nextOffset: 11n }]).then(
          ([outcome]) => outcome?.status,
          () => "failed",
        );
        const before = await claim(store, key, newer, { owner: "newer" });
        await committed(store, key, newer, 20n);
        // Once the call is on its way still, and once the holder knows that something went wrong.
        if (fault === "silence") await underWay;
        await restore();
        assert.notEqual(await underWay, "committed", "a commit of a holder that was cut off landed after a takeover");
        const refusal = { status: "fenced", reason: "superseded", owner: "newer" };
        await eventually("a holder that is back is fenced", async () => {
          try {
            const outcome = await commit(holder.store, key, older, 30n);
            if (outcome.status === "failed") return outcome.error;
            assert.deepEqual(outcome, refusal, "a holder that was cut off commits over its successor");
            return true;
          } catch (error) {
            if (error instanceof OffsetStoreError && error.retryable) return error;
            throw error;
          }
        });
        assert.ok((before?.nextOffset ?? 0n) <= 11n);
        assert.equal((await found(store, key)).nextOffset, 20n, "the successor's position was written over");
        await committed(store, key, newer, 21n);
      }
    },
  },
];

function callsOf(
  store: AnyStore,
  key: OffsetKey,
  token: string,
): readonly (readonly [string, () => Promise<unknown>])[] {
  // Claims and resets are of another key: one that arrives late would take this one away.
  const other = { ...key, topic: `${key.topic} of calls` };
  return [
    ["claim", () => store.claim([{ key: other, token, owner: "o" }])],
    ["commit", () => store.commit([{ key, token, nextOffset: 11n }])],
    ["fetch", () => store.fetch([key])],
    ["list", () => listed(store)],
    ["reset", () => store.reset([{ key: other, nextOffset: 1n }])],
    ["expire", () => store.expire([{ key: other, ttl: null }])],
    ["delete by keys", () => store.delete({ keys: [other] })],
    ["delete by topic", () => store.delete({ topic: other.topic })],
    ["delete of what has expired", () => store.delete({ expired: true })],
  ];
}

async function assertRecovers(store: AnyStore, key: OffsetKey, token: string): Promise<void> {
  await eventually("the store recovers once its connection is back", async () => {
    try {
      const outcome = await commit(store, key, token, 12n);
      return outcome.status === "failed" ? outcome.error : outcome.status === "committed";
    } catch (error) {
      if (error instanceof OffsetStoreError && error.retryable) return error;
      throw error;
    }
  });
}

async function assertUnreachable(verb: string, call: () => Promise<unknown>): Promise<void> {
  const answering = Promise.resolve().then(call);
  assert.ok(
    await endsWithin(TIMEOUT_MS + SLACK_MS, answering),
    `a call hangs: ${verb} is not answered ${TIMEOUT_MS + SLACK_MS} ms after it was made`,
  );
  let error: unknown;
  try {
    const answer = await answering;
    const failed = Array.isArray(answer) ? (answer as { status: string; error?: unknown }[]) : [];
    const isFailure = failed.length > 0 && failed.every(({ status }) => status === "failed");
    assert.ok(isFailure, `${verb} was answered although the store cannot be reached: ${JSON.stringify(answer)}`);
    error = failed[0]?.error;
  } catch (thrown) {
    if (thrown instanceof AssertionError) throw thrown;
    error = thrown;
  }
  assertPassing(verb, error);
}

function assertPassing(verb: string, error: unknown): void {
  assert.ok(error instanceof OffsetStoreError, `${verb}: not an OffsetStoreError: ${String(error)}`);
  const isPassing = error.retryable && (error.code === "UNAVAILABLE" || error.code === "TIMEOUT");
  assert.ok(isPassing, `${verb}: ${error.code}, retryable ${error.retryable}: ${error.message}`);
}
