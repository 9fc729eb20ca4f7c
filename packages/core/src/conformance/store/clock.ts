import type { OffsetKey } from "../../key.ts";
import { eventually } from "./eventually.ts";
import { type AnyStore, claim, found, keyOf, newToken } from "./outcomes.ts";

/**
 * Waits until the store's clock shows a time that is later by more than `byMs`, so that what was written before is older than
 * that. By default any later time does: what is written now differs from all before.
 */
export async function untilClockTicks(store: AnyStore, byMs = 0): Promise<void> {
  // A key of its own each time: what a repeated claim does to the time is for a case to find out.
  const keys: OffsetKey[] = [];
  let first: Date | undefined;
  await eventually("the clock of the store advances, and a new claim shows it", async () => {
    const key = keyOf({ consumer: "clock", partition: keys.length });
    keys.push(key);
    await claim(store, key, newToken());
    const { claimedAt } = await found(store, key);
    if (claimedAt === undefined) return false;
    first ??= claimedAt;
    return claimedAt.getTime() > first.getTime() + byMs;
  });
  await store.delete({ keys });
}
