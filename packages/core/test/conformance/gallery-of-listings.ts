import { type ListPage, UnreadableRecordError } from "@tidemark/core/driver";
import { type DriverExhibit, paging } from "./driver-exhibit.ts";

/** How many connections a client usually has. */
const POOL = 10;

/** Drivers whose listings lose, repeat or hold too much, and those that say something else than what went wrong. */
export const galleryOfListings: readonly DriverExhibit[] = [
  {
    fault: "a listing loses its second page",
    caseId: "driver/pages",
    says: /list is wrong: .* is missing; 2500 of 3000 are listed/,
    spoil: paging(async function* (pages) {
      let count = 0;
      for await (const page of pages) if ((count += 1) !== 2) yield page;
    }),
  },
  {
    fault: "a page begins with the last of the page before",
    caseId: "driver/pages",
    says: /list is wrong: .* is listed twice/,
    spoil: paging(async function* (pages) {
      let last: ListPage["entries"] = [];
      for await (const { now, entries } of pages) {
        yield { now, entries: [...last, ...entries] };
        last = entries.slice(-1);
      }
    }),
  },
  {
    fault: "one page holds everything",
    caseId: "driver/pages",
    says: /list is wrong: a page holds 3000 of 3000 entries/,
    spoil: paging(async function* (pages) {
      const all = await Array.fromAsync(pages);
      yield { now: all[0]?.now ?? 0, entries: all.flatMap(({ entries }) => entries) };
    }),
  },
  {
    fault: "a large group is listed up to 1,000 partitions",
    caseId: "driver/one-large-group",
    says: /list is wrong: with .* it misses 1500/,
    spoil: paging(async function* (pages) {
      let left = 1_000;
      for await (const { now, entries } of pages) {
        yield { now, entries: entries.slice(0, left) };
        left = Math.max(0, left - entries.length);
      }
    }),
  },
  {
    fault: "a driver's filter matches by prefix",
    caseId: "driver/filters",
    says: /list is wrong: with .* it gives \d+ more than match/,
    spoil: (driver) => ({
      list: async function* ({ consumer = "", ...filter }) {
        for await (const { now, entries } of driver.list(filter)) {
          yield { now, entries: entries.filter(({ key }) => key.consumer.startsWith(consumer)) };
        }
      },
    }),
  },
  {
    fault: "a driver's filter passes over the partition",
    caseId: "driver/filters",
    says: /list is wrong: with .*partition: 1.* it gives \d+ more than match/,
    spoil: (driver) => ({ list: (filter) => driver.list({ ...filter, partition: undefined }) }),
  },
  {
    fault: "a driver's listing goes by numbers of rows",
    caseId: "driver/listed-while-others-write",
    says: /list is wrong: \d+ of 3000 that were there throughout are not listed/,
    spoil: (driver) => ({
      list: async function* (filter) {
        for (let from = 0; ; from += 200) {
          const pages = await Array.fromAsync(driver.list(filter));
          const all = pages.flatMap(({ entries }) => entries);
          if (from >= all.length) return;
          yield { now: driver.clock(), entries: all.slice(from, from + 200) };
        }
      },
    }),
  },
  {
    fault: "a listing that is left keeps its cursor open",
    caseId: "driver/left-early",
    says: /no cursor is free/,
    spoil: (driver) => {
      let free = POOL;
      return {
        list: async function* (filter) {
          if (free === 0) throw new Error("list is wrong: no cursor is free");
          free -= 1;
          yield* driver.list(filter);
          free += 1;
        },
      };
    },
  },
  {
    fault: "a listing shows a record without its version",
    caseId: "driver/expects-nothing",
    says: /list is wrong: after a change that expected nothing/,
    spoil: paging(async function* (pages) {
      for await (const { now, entries } of pages) {
        yield { now, entries: entries.map(({ key, entry }) => ({ key, entry: { ...entry, version: "" } })) };
      }
    }),
  },
  {
    fault: "a damaged value is nothing to a driver",
    caseId: "driver/unreadable",
    says: /read is wrong: a damaged entry is \{ status: 'absent' \}/,
    surroundings: "durable",
    spoil: (driver) => ({
      read: async (keys, context) => {
        const { now, entries } = await driver.read(keys, context);
        const isDamaged = (entry: (typeof entries)[number]): boolean =>
          entry !== undefined && "value" in entry && !entry.value.endsWith("}") && entry.value !== "a value";
        return { now, entries: entries.map((entry) => (isDamaged(entry) ? undefined : entry)) };
      },
    }),
  },
  {
    fault: "one damaged entry takes its whole read along",
    caseId: "driver/unreadable",
    says: /read is wrong: a damaged entry takes another along/,
    surroundings: "durable",
    spoil: (driver) => ({
      read: async (keys, context) => {
        const { now, entries } = await driver.read(keys, context);
        const isDamaged = entries.some(
          (entry) => entry !== undefined && "value" in entry && entry.version === "damaged",
        );
        if (!isDamaged) return { now, entries };
        return {
          now,
          entries: entries.map(() => ({ error: new UnreadableRecordError("a row of the answer is damaged") })),
        };
      },
    }),
  },
  {
    fault: "a read in a transaction looks past it",
    caseId: "driver/transaction",
    says: /read is wrong: inside a transaction a read does not see what was written in it/,
    surroundings: "transactional",
    spoil: (driver) => ({ read: (keys, { signal }) => driver.read(keys, { signal }) }),
  },
  {
    fault: "a write in a transaction is written past it",
    caseId: "driver/transaction",
    says: /is wrong: (others see what was written in a transaction|inside a transaction)/,
    surroundings: "transactional",
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answer = await driver.write(changes, context);
        for (const [name, row] of context.transaction?.written ?? []) driver.put(name, row);
        return answer;
      },
    }),
  },
];
