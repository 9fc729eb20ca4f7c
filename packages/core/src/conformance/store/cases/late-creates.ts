import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import { OffsetStoreError } from "../../../errors/offset-store-error.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { eventually } from "../eventually.ts";
import { claim, commit, committed, expire, fetched, found, keyOf, newToken, reset } from "../outcomes.ts";

/** The hasty client's time-out to begin with; twice as long for a store whose calls take longer, and so on. */
const TIMEOUT_MS = 500;
const MAX_TIMEOUT_MS = 8 * TIMEOUT_MS;
/** A new record counts only if it comes within twice the time-out of its call, and some steps of the clock. */
const LATE_TIMEOUTS = 2;
const LATE_STEPS = 4;

/** A record that is made comes to be in time, or not at all. That a late one does not only who holds it up can prove. */
export const lateCreateCases: readonly ConformanceCase[] = [
  {
    id: "create/outlives-its-limit",
    clause: "3.22",
    title: "a record that came to be in time stays, and so does what is written of it later, by any verb",
    run: async (context) => {
      const { store } = context;
      const token = newToken();
      const writes: Readonly<Record<string, (key: OffsetKey) => Promise<unknown>>> = {
        nothing: async () => undefined,
        "a commit": (key) => committed(store, key, token, 2n),
        "a renewal": (key) => committed(store, key, token),
        "a claim": (key) => claim(store, key, newToken()),
        "a repeated claim": (key) => claim(store, key, token),
        "a rewind": (key) => commit(store, key, token, 0n, { rewind: true }),
        "a release": (key) => committed(store, key, token, undefined, { release: true }),
        "a new ttl": (key) => expire(store, key, context.longTtl),
        "a reset": (key) => reset(store, key, 3n),
      };
      const keys = Object.keys(writes).map((_, partition) => keyOf({ partition }));
      const timeout = await made(context, keys, token);
      const lateMs = LATE_TIMEOUTS * timeout + LATE_STEPS * context.capabilities.expiry.granularityMs;
      const last = await found(store, keys.at(-1) ?? keyOf());
      await eventually("the clock of the store advances", async () => {
        const key = keyOf({ topic: "clock" });
        await claim(store, key, newToken());
        return (await found(store, key)).updatedAt.getTime() > last.updatedAt.getTime() + lateMs;
      });
      for (const [index, [what, write]] of Object.entries(writes).entries()) {
        const key = keys[index] ?? keyOf();
        assert.ok(await fetched(store, key), `a record that came in time is gone ${lateMs} ms later`);
        await write(key);
        assert.ok(await fetched(store, key), `after ${what} a record is gone that came in time`);
      }
    },
  },
];

/** Makes records through a client that has little time. Gives how much it had, in milliseconds. */
async function made(context: ConformanceContext, keys: readonly OffsetKey[], token: string): Promise<number> {
  let timeout = TIMEOUT_MS / 2;
  await eventually("a client with little time makes records", async () => {
    timeout = Math.min(MAX_TIMEOUT_MS, 2 * timeout);
    try {
      const { store } = await context.openAnother({ timeout });
      const outcomes = await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      return outcomes.every(({ status }) => status === "claimed");
    } catch (error) {
      if (error instanceof OffsetStoreError && error.retryable) return error;
      throw error;
    }
  });
  return timeout;
}
