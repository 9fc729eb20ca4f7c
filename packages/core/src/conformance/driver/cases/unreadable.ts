import { inspect } from "node:util";

import type { DriverKey, ReadEntry } from "../../../driver/driver.ts";
import type { DriverConformanceCase } from "../driver-case.ts";
import type { AnyDriver } from "../driver-context.ts";
import {
  change,
  expectStored,
  identityOf,
  mustBe,
  never,
  newVersion,
  positionKey,
  put,
  read,
  readable,
  wrong,
} from "../driver-calls.ts";

/** What the backend fails to give. */
export const unreadableCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/read-error",
    clause: "4.1b",
    verb: "read",
    title: "what the backend fails to give of one key is an error of that key alone, and is nothing to no verb",
    run: async (context) => {
      const { driver } = context;
      const [bad, fine] = [positionKey({ topic: "bad" }), positionKey({ topic: "fine" })];
      const [lost, kept] = [change(bad), change(fine)];
      await put(driver, [lost, kept]);
      const restore = await context.makeUnreadable(bad);
      if (restore === undefined) return;
      try {
        const [first, second] = await readBoth(driver, bad, fine);
        mustBe("read", first !== undefined, "a key that the backend fails to give has nothing");
        mustBe("read", "error" in first, `a key that the backend fails to give is ${inspect(first)}`);
        const isRead = readable("read", second)?.version === kept.version;
        mustBe("read", isRead, "a key that the backend fails to give takes another along");
        await expectListedOrRejected(driver, bad, fine);
        for (const value of ["a value", undefined]) {
          for (const expected of [[null], [newVersion()], [newVersion(), null]]) {
            const answer = await answerTo(driver.write([change(bad, { expected, value })], { signal: never() }));
            mustBe(
              "write",
              answer !== "written",
              `${inspect(expected)} passes where the backend fails to give what is`,
            );
          }
        }
      } finally {
        await restore();
      }
      for (const { key, version, value = "" } of [lost, kept]) {
        await expectStored(driver, key, { version, value }, "the backend failed to give it");
      }
    },
  },
];

async function readBoth(driver: AnyDriver, ...keys: readonly DriverKey[]): Promise<readonly ReadEntry[]> {
  const answer = await read(driver, keys).catch((error: unknown) => ({ error }));
  if ("entries" in answer) return answer.entries;
  wrong("read", `a key that the backend fails to give takes its whole call along: ${inspect(answer.error)}`);
}

/** A listing reports it, or does not end as if it were complete. */
async function expectListedOrRejected(driver: AnyDriver, bad: DriverKey, fine: DriverKey): Promise<void> {
  const seen = new Map<string, ReadEntry>();
  let isComplete = true;
  try {
    for await (const { entries } of driver.list({ kind: "position" }, { signal: never() })) {
      for (const { key, entry } of entries) seen.set(identityOf(key), entry);
    }
  } catch {
    isComplete = false;
  }
  const entry = seen.get(identityOf(bad));
  mustBe("list", entry === undefined || "error" in entry, `what the backend fails to give is ${inspect(entry)}`);
  if (!isComplete) return;
  mustBe("list", entry !== undefined, "it leaves out what the backend fails to give, and ends as if it were complete");
  mustBe("list", seen.has(identityOf(fine)), "it leaves out what lies beside something that the backend fails to give");
}

/** The answer to a write of one change; an error for one that rejects. */
async function answerTo(writing: ReturnType<AnyDriver["write"]>): Promise<unknown> {
  const { changes } = await writing.catch((error: unknown) => ({ changes: [error] }));
  return changes === undefined ? "written" : changes[0];
}
