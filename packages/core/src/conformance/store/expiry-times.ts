import { assert } from "../assert.ts";
import type { OffsetKey } from "../../key.ts";
import type { ConformanceContext } from "./conformance-context.ts";
import { eventually } from "./eventually.ts";
import { claim, committed, expire, fetched, newToken, type AnyStore } from "./outcomes.ts";

/** Milliseconds beyond the TTL within which an expired record must have become invisible, on a busy machine too. */
const EXPIRY_MARGIN_MS = 5_000;

/** Waits until none of the keys can be fetched. */
export async function untilExpired(
  context: ConformanceContext,
  keys: readonly OffsetKey[],
  ttl: number,
): Promise<void> {
  const deadlineMs = ttl + 2 * context.capabilities.expiry.granularityMs + EXPIRY_MARGIN_MS;
  await eventually(
    `what expires after ${ttl} ms is absent to fetch`,
    async () => {
      const outcomes = await context.store.fetch(keys);
      return outcomes.every(({ status }) => status === "absent");
    },
    deadlineMs,
  );
}

/**
 * Leaves an expired record at position 50 under the key, and gives the token that had claimed it. The short time to live
 * comes last, in one step, so that a slow machine cannot let the record expire before it is complete.
 */
export async function leaveExpired(context: ConformanceContext, key: OffsetKey): Promise<string> {
  const { store, shortTtl } = context;
  const token = newToken();
  await claim(store, key, token, { owner: "expired" });
  await committed(store, key, token, 50n, { metadata: "old" });
  await expire(store, key, shortTtl);
  await untilExpired(context, [key], shortTtl);
  return token;
}

/**
 * Keeps a record alive by renewals for longer than its TTL and checks that it never went away. Only the first names the
 * TTL: the others must renew what the record has. A stall of this machine that is longer than half a TTL says nothing
 * about the store: the attempt is then made again, up to five times, with a longer TTL.
 */
export async function aliveByRenewal(
  context: ConformanceContext,
  key: OffsetKey,
  renew: (store: AnyStore, more: { readonly ttl?: number }) => Promise<void>,
): Promise<void> {
  let ttl = 0;
  for (let attempt = 0; attempt < 6; attempt += 1) {
    ttl = Math.max(400 * 2 ** attempt, 4 * context.capabilities.expiry.granularityMs);
    // What stalled before may have let it expire meanwhile: a failing renewal claims it again, and this one proves nothing.
    if (attempt > 0) await renew(context.store, {}).catch(() => undefined);
    const startedAt = performance.now();
    let renewedAt = startedAt;
    let stalled = false;
    let more: { readonly ttl?: number } = { ttl };
    let lost: Error | undefined;
    while (!stalled && lost === undefined && performance.now() - startedAt < 1.5 * ttl) {
      const from = performance.now();
      try {
        await renew(context.store, more);
        more = {};
        const record = await fetched(context.store, key);
        if (record === undefined) lost = new Error("fetch finds nothing");
        // Without a ttl it would live on, renewed or not.
        else if (record.ttl !== ttl) lost = new Error(`its ttl is ${record.ttl}, not ${ttl} as was asked`);
      } catch (error) {
        lost = error instanceof Error ? error : new Error(String(error));
      }
      stalled = performance.now() - renewedAt > ttl / 2;
      renewedAt = from;
      await new Promise((resolve) => setTimeout(resolve, ttl / 20));
    }
    // The last pause counts too: a record that went away in it was not looked at again.
    if (lost === undefined) stalled ||= performance.now() - renewedAt > ttl / 2;
    if (stalled) continue;
    if (lost === undefined) return;
    // By its message alone: the comparison with nothing would show the error's stack.
    assert.fail(`the record went away although it was renewed within its ttl: ${String(lost)}`);
  }
  assert.fail(`no attempt renewed the record every ${ttl / 2} ms: the store answers too slowly for this case`);
}
