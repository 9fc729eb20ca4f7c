import { inspect } from "node:util";

import type { DriverKey, ListFilter } from "../../../driver/driver.ts";
import type { DriverConformanceCase } from "../driver-case.ts";
import type { AnyDriver } from "../driver-context.ts";
import {
  change,
  expectStored,
  identityOf,
  listed,
  memberKey,
  mustBe,
  never,
  pages,
  positionKey,
  put,
} from "../driver-calls.ts";

/** Many groups of few: a driver may keep a consumer's partitions of a topic in one piece. */
const GROUPS = 150;
const PARTITIONS = 20;
const VALUE_CHARACTERS = 4_096;

/** Everything that is stored, exactly once, in pages. */
export const listingCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/filters",
    clause: "4.3a",
    verb: "list",
    title: "a listing gives what matches every field of its filter exactly; without any it is all of the kind",
    run: async ({ driver }) => {
      const names = ["a1", "a10", "a"].flatMap((consumer) => ["t1", "t10", "t"].map((topic) => ({ consumer, topic })));
      const positions = names.flatMap((name) => [0, 1, 10].map((partition) => ({ ...name, partition })));
      const members = names.flatMap((name) => ["", "m"].map((member) => ({ ...name, member })));
      await put(
        driver,
        [...positions, ...members].map((key) => change(key)),
      );
      const filters: Omit<ListFilter, "kind">[] = [
        {},
        ...["a1", "a", "A1", "a_", "%", "*", "x"].map((consumer) => ({ consumer })),
        ...["t1", "t", "T1", "t_", "%", "t.", "^t1$"].map((topic) => ({ topic })),
        { consumer: "a1", topic: "t1" },
        { consumer: "a", topic: "x" },
      ];
      const byPartition = [
        { partition: 1 },
        { consumer: "a", partition: 10 },
        { consumer: "a1", topic: "t", partition: 0 },
      ];
      for (const filter of [...filters, ...byPartition])
        await expectListed(driver, { kind: "position", ...filter }, positions);
      for (const filter of filters) await expectListed(driver, { kind: "member", ...filter }, members);
    },
  },
  {
    id: "driver/pages",
    clause: "4.3c",
    verb: "list",
    title: `${GROUPS * PARTITIONS} large entries are listed exactly once, whole, in pages that hold less than half of them`,
    run: async ({ driver }) => {
      const keys = manyKeys();
      const changes = keys.map((key, index) => change(key, { value: `${index}`.padEnd(VALUE_CHARACTERS, "x") }));
      await put(driver, changes);
      const seen = new Map<string, string>();
      let largest = 0;
      for (const { entries } of await pages(driver, { kind: "position" })) {
        largest = Math.max(largest, entries.length);
        for (const { key, entry } of entries) {
          mustBe("list", !seen.has(identityOf(key)), `${identityOf(key)} is listed twice`);
          mustBe("list", !("error" in entry), `${identityOf(key)} cannot be read`);
          seen.set(identityOf(key), `${entry.version} ${entry.value}`);
        }
      }
      for (const { key, version, value } of changes) {
        const entry = seen.get(identityOf(key));
        mustBe("list", entry !== undefined, `${identityOf(key)} is missing; ${seen.size} of ${keys.length} are listed`);
        mustBe("list", entry === `${version} ${value}`, `${identityOf(key)} is not listed as it was written`);
      }
      mustBe(
        "list",
        largest < keys.length / 2,
        `a page holds ${largest} of ${keys.length} entries: give them in more pages`,
      );
    },
  },
  {
    id: "driver/one-large-group",
    clause: "4.3b",
    verb: "list",
    title: "2,500 partitions of one topic, and 300 members, are listed exactly once each",
    run: async ({ driver }) => {
      const positions = Array.from({ length: 2_500 }, (_, partition) => positionKey({ partition }));
      const members = Array.from({ length: 300 }, (_, index) => memberKey({ member: `m${index}` }));
      const others = [positionKey({ topic: "order" }), positionKey({ topic: "orders2" })];
      await put(
        driver,
        [...positions, ...members, ...others].map((key) => change(key)),
      );
      for (const filter of [{ topic: "orders" }, { consumer: "c1", topic: "orders" }]) {
        await expectListed(driver, { kind: "position", ...filter }, positions);
        await expectListed(driver, { kind: "member", ...filter }, members);
      }
      await expectListed(driver, { kind: "position" }, [...positions, ...others]);
    },
  },
  {
    id: "driver/listed-while-others-write",
    clause: "4.3b",
    verb: "list",
    title: "what is there throughout is listed exactly once while others are written, removed and written over",
    run: async (context) => {
      const [driver, other] = (await context.drivers(2)) as [AnyDriver, AnyDriver];
      const stay = manyKeys();
      // Before the others in any order: a listing that pages by row number would skip some when these go.
      const go = Array.from({ length: 500 }, (_, partition) => positionKey({ consumer: "a", topic: "a", partition }));
      await put(
        driver,
        [...go, ...stay].map((key) => change(key, { value: "before".padEnd(VALUE_CHARACTERS / 8) })),
      );
      const seen: string[] = [];
      let step = 0;
      for await (const { entries } of driver.list({ kind: "position" }, { signal: never() })) {
        seen.push(...entries.map(({ key }) => identityOf(key)));
        step += 1;
        await put(
          other,
          go.splice(0, 100).map((key) => change(key, { value: undefined })),
        );
        const added = Array.from({ length: 20 }, (_, partition) => positionKey({ consumer: `new${step}`, partition }));
        await put(
          other,
          added.map((key) => change(key)),
        );
        await put(
          other,
          [...stay.slice(0, 50), ...stay.slice(-50)].map((key) => change(key)),
        );
      }
      const listedStay = seen.filter((identity) => identity.includes('"c'));
      mustBe("list", new Set(seen).size === seen.length, "an entry is listed twice while others are written");
      const missing = stay.length - listedStay.length;
      mustBe("list", missing === 0, `${missing} of ${stay.length} that were there throughout are not listed`);
    },
  },
  {
    id: "driver/left-early",
    clause: "4.3c",
    verb: "list",
    title: "a listing can be left after its first page, any number of times, and blocks no other call while it is open",
    run: async ({ driver }) => {
      const keys = manyKeys().slice(0, 1_000);
      await put(
        driver,
        keys.map((key) => change(key, { value: "x".repeat(VALUE_CHARACTERS) })),
      );
      const own = positionKey({ consumer: "own" });
      // More often than a client has connections.
      for (let pass = 0; pass < 25; pass += 1) {
        const ended = new AbortController();
        for await (const page of driver.list({ kind: "position" }, { signal: ended.signal })) {
          mustBe("list", page.entries.length > 0 || pass > 0, "the first page of many entries is empty");
          const one = change(own, { value: `pass ${pass}` });
          if (pass % 8 === 0) await put(driver, [one]);
          if (pass % 8 === 0)
            await expectStored(driver, own, { version: one.version, value: one.value ?? "" }, "a write");
          break;
        }
        ended.abort();
      }
      const all = await Promise.all([1, 2, 3].map(() => listed(driver, { kind: "position" })));
      for (const { size } of all) mustBe("list", size === keys.length + 1, `${size} of ${keys.length + 1} are listed`);
    },
  },
];

async function expectListed(driver: AnyDriver, filter: ListFilter, keys: readonly DriverKey[]): Promise<void> {
  const { kind: _, ...fields } = filter;
  const matching = keys.filter((key) =>
    Object.entries(fields).every(([field, value]) => (key as unknown as Record<string, unknown>)[field] === value),
  );
  const seen = new Set((await listed(driver, filter)).keys());
  const missing = matching.filter((key) => !seen.has(identityOf(key)));
  mustBe(
    "list",
    missing.length === 0,
    `with ${inspect(filter)} it misses ${missing.length}, first ${inspect(missing[0])}`,
  );
  const more = seen.size - matching.length;
  mustBe(
    "list",
    more === 0,
    `with ${inspect(filter)} it gives ${more} more than match: ${[...seen].slice(0, 5).join()}`,
  );
}

function manyKeys(): DriverKey[] {
  return Array.from({ length: GROUPS * PARTITIONS }, (_, index) => {
    const group = Math.floor(index / PARTITIONS);
    return positionKey({ consumer: `c${group % 2}`, topic: `t${group}`, partition: index % PARTITIONS });
  });
}
