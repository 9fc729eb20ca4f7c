import { inspect } from "node:util";

import type { Change } from "../../../driver/driver.ts";
import type { DriverConformanceCase } from "../driver-case.ts";
import type { AnyDriver } from "../driver-context.ts";
import {
  change,
  identityOf,
  memberKey,
  mustBe,
  newVersion,
  placeOf,
  positionKey,
  put,
  read,
  readable,
  write,
  wrong,
} from "../driver-calls.ts";

/** More changes than this in one call prove nothing more. */
const ENOUGH = 2_000;

/** Several keys in one call. */
export const batchCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/read-in-order",
    clause: "4.1a",
    verb: "read",
    title: "each key gets its own answer, in the order asked, as many as fit into a call",
    run: async ({ driver, capabilities }) => {
      const count = Math.min(capabilities.maxBatch, ENOUGH);
      const changes = keysOf(count).map((key, index) => change(key, { value: `value ${index}` }));
      // Every third is missing.
      await put(
        driver,
        changes.filter((_, index) => index % 3 !== 0),
      );
      const mixed = changes.map((_, index) => changes[(index * 7 + 3) % count] ?? change(positionKey()));
      const orders = count % 7 === 0 ? [changes, changes.toReversed()] : [changes, changes.toReversed(), mixed];
      for (const order of orders) {
        const { entries } = await read(
          driver,
          order.map(({ key }) => key),
        );
        for (const [index, { key, version, value }] of order.entries()) {
          const entry = readable("read", entries[index]);
          const isThere = changes.findIndex((one) => one.version === version) % 3 !== 0;
          const isRight = isThere ? entry?.version === version && entry.value === value : entry === undefined;
          if (!isRight)
            wrong("read", `key ${index + 1} of ${count}, ${identityOf(key)}, was answered ${inspect(entry)}`);
        }
      }
    },
  },
  {
    id: "driver/write-many",
    clause: "4.2f",
    verb: "write",
    title: "as many changes as fit into a call are all written by it, those of one consumer and topic with one time",
    run: async ({ driver, capabilities }) => {
      const changes = keysOf(Math.min(capabilities.maxBatch, ENOUGH)).map((key) => change(key, { expected: [null] }));
      const { answers, writtenAt } = await write(driver, changes, { timed: true });
      const refused = answers.filter((answer) => answer !== "written");
      mustBe("write", refused.length === 0, `${refused.length} of ${changes.length} changes are not written`);
      const times = await expectAll(driver, changes, "a call that wrote it");
      const ofPlaces = new Map<string, number>();
      for (const [index, { key }] of changes.entries()) {
        const time = times[index] ?? 0;
        const first = writtenAt ?? ofPlaces.get(placeOf(key)) ?? time;
        ofPlaces.set(placeOf(key), first);
        mustBe("write", time === first, `a call was stamped ${first} and ${time}, and answered at ${writtenAt}`);
      }
    },
  },
  {
    id: "driver/conflict-in-a-batch",
    clause: "4.2d",
    verb: "write",
    title: "where batches are atomic one conflict leaves all others skipped; otherwise they are written all the same",
    run: async ({ driver, capabilities }) => {
      const { atomicBatch, maxBatch } = capabilities;
      const sizes = new Set([Math.min(2, maxBatch), Math.min(101, maxBatch), Math.min(maxBatch, ENOUGH)]);
      for (const size of [...sizes].filter((count) => count > 1)) {
        for (const at of [0, size >> 1, size - 1]) {
          const before = keysOf(size, `t${size}-${at}-`).map((key) => change(key, { value: "before" }));
          await put(driver, before);
          const after = before.map(({ key, version }, index) =>
            change(key, { expected: [index === at ? newVersion() : version], value: "after" }),
          );
          const { answers } = await write(driver, after);
          const where = `change ${at + 1} of ${size}`;
          mustBe("write", answers[at] === "conflict", `${where} met another version and is ${inspect(answers[at])}`);
          const should = atomicBatch ? "skipped" : "written";
          const other = answers.findIndex((answer, index) => index !== at && answer !== should);
          if (other >= 0) {
            wrong(
              "write",
              `where ${where} is a conflict change ${other + 1} is ${inspect(answers[other])}, not ${should}`,
            );
          }
          const expected = atomicBatch
            ? before
            : after.map((one, index) => (index === at ? before[at] : one) as Change);
          await expectAll(driver, expected, `a call in which ${where} was a conflict`);
        }
      }
    },
  },
  {
    id: "driver/conflicts-in-order",
    clause: "4.2b",
    verb: "write",
    title: "each change is answered for itself, in the order asked, with keys in any order",
    run: async ({ driver, capabilities }) => {
      const size = Math.min(12, capabilities.maxBatch);
      const keys = keysOf(size);
      for (const order of [keys, keys.toReversed()]) {
        const stored = order.map((key) => change(key));
        await put(driver, stored);
        const changes = stored.map(({ key, version }, index) =>
          change(key, { expected: [index % 3 === 0 ? newVersion() : version] }),
        );
        const { answers } = await write(driver, changes);
        const fits = capabilities.atomicBatch && size > 1 ? "skipped" : "written";
        for (const [index, answer] of answers.entries()) {
          // What would have been a conflict too may be skipped: it was not looked at any more.
          const isRight = index % 3 === 0 ? answer === "conflict" || answer === "skipped" : answer === fits;
          if (!isRight) wrong("write", `change ${index + 1} of ${size} is ${inspect(answer)}: ${inspect(answers)}`);
        }
        mustBe("write", size < 2 || answers.includes("conflict"), `no change is a conflict: ${inspect(answers)}`);
      }
    },
  },
  {
    id: "driver/one-version-for-many",
    clause: "4.5b",
    verb: "write",
    title: "changes of one call that carry the same version are created, written over and removed each for its own key",
    run: async ({ driver, capabilities }) => {
      const keys = nearKeys().slice(0, capabilities.maxBatch);
      let expected: string | null = null;
      for (const step of ["created", "written over", "removed"]) {
        const version = newVersion();
        const changes = keys.map((key) =>
          change(key, {
            expected: [expected],
            version,
            value: step === "removed" ? undefined : `${step}: ${identityOf(key)}`,
          }),
        );
        const { answers } = await write(driver, changes);
        const { entries } = await read(driver, keys);
        for (const [at, { key, value }] of changes.entries()) {
          const what = `of ${keys.length} changes of one call that carry the same version ${identityOf(key)}`;
          mustBe("write", answers[at] === "written", `${what} is ${inspect(answers[at])}, not ${step}`);
          const entry = readable("read", entries[at]);
          const isRight =
            value === undefined ? entry === undefined : entry?.version === version && entry.value === value;
          mustBe("write", isRight, `${what} is ${step}, and then there is ${inspect(entry)}`);
        }
        expected = version;
      }
    },
  },
];

/** Keys that share all of their parts but one with another. */
function nearKeys(): ReturnType<typeof positionKey | typeof memberKey>[] {
  const kinds = [0, 1].flatMap((of) => [
    (names: { consumer: string; topic: string }) => positionKey({ ...names, partition: of }),
    (names: { consumer: string; topic: string }) => memberKey({ ...names, member: `${of}` }),
  ]);
  return kinds.flatMap((keyOf) =>
    ["c1", "c2"].flatMap((consumer) => ["t1", "t2", "t3"].map((topic) => keyOf({ consumer, topic }))),
  );
}

/** Expects every change to be what is stored, and gives the times of all. */
async function expectAll(driver: AnyDriver, changes: readonly Change[], after: string): Promise<number[]> {
  const { entries } = await read(
    driver,
    changes.map(({ key }) => key),
  );
  return changes.map(({ key, version, value }, index) => {
    const entry = readable("read", entries[index]);
    const isRight = entry?.version === version && entry.value === value;
    if (!isRight) wrong("write", `after ${after} ${identityOf(key)} is ${inspect(entry)}, and should be ${version}`);
    return entry.writtenAt;
  });
}

/** Keys of both kinds, and of several consumers and topics, in none of the orders in which a backend may keep them. */
function keysOf(count: number, prefix = "t"): ReturnType<typeof positionKey | typeof memberKey>[] {
  return Array.from({ length: count }, (_, index) => {
    const names = { consumer: `c${(index * 5) % 3}`, topic: `${prefix}${(index * 7) % 4}` };
    return index % 10 === 9
      ? memberKey({ ...names, member: `m${index}` })
      : positionKey({ ...names, partition: (index * 37) % 10_007 });
  });
}
