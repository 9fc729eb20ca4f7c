import type { ChangeAnswer, DriverKey } from "@tidemark/core/driver";
import type { DriverFault } from "./broken-store.ts";
import { type DriverExhibit, paging } from "./driver-exhibit.ts";
import { nameOf, type Row } from "./sound-backend.ts";

/** Drivers that take one key for another, or answer for another. */
export const galleryOfKeys: readonly DriverExhibit[] = [
  {
    fault: "reads are answered in the backend's order",
    caseId: "driver/read-in-order",
    says: /read is wrong: key \d+ of 1000/,
    spoil: (driver) => ({
      read: async (keys, context) => {
        const sorted = keys.toSorted((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1));
        return driver.read(sorted, context);
      },
    }),
  },
  {
    fault: "a read answers for its first 500 keys",
    caseId: "driver/read-in-order",
    says: /read is wrong: key \d+ of 1000/,
    spoil: (driver) => ({
      read: async (keys, context) => {
        const { now, entries } = await driver.read(keys, context);
        return { now, entries: entries.map((entry, index) => (index < 500 ? entry : undefined)) };
      },
    }),
  },
  {
    fault: "a member is stored like a partition",
    caseId: "driver/positions-and-members",
    says: /write is wrong: .* meets another key/,
    spoil: storedAs((key) => ("member" in key && key.member === "0" ? { ...without(key), partition: 0 } : key)),
  },
  {
    fault: "members are listed among positions",
    caseId: "driver/positions-and-members",
    says: /list is wrong: of kind position/,
    spoil: (driver) => ({
      list: async function* (filter) {
        yield* driver.list(filter);
        if (filter.kind === "position" && filter.partition === undefined)
          yield* driver.list({ ...filter, kind: "member" });
      },
    }),
  },
  {
    fault: "topics are stored without regard to case",
    caseId: "driver/odd-topics",
    says: /write is wrong: .* was answered with 'conflict'|write is wrong: .*topic: 'TOPIC'/i,
    spoil: storedAs((key) => ({ ...key, topic: key.topic.toLowerCase() })),
  },
  {
    fault: "consumers are stored without the blanks at their end",
    caseId: "driver/odd-consumers",
    says: /write is wrong: .*nothing was in its way/s,
    spoil: storedAs((key) => ({ ...key, consumer: key.consumer.trimEnd() || key.consumer })),
  },
  {
    fault: "members are stored in another normal form",
    caseId: "driver/odd-members",
    says: /write is wrong: .*nothing was in its way/s,
    spoil: storedAs((key) => ("member" in key ? { ...key, member: key.member.normalize("NFKC") } : key)),
  },
  {
    fault: "names are joined by a colon",
    caseId: "driver/names-joined",
    says: /write is wrong: .*nothing was in its way/s,
    spoil: storedAs((key) => ({ ...key, consumer: `${key.consumer}:${key.topic}`, topic: "-" })),
  },
  {
    fault: "names come back escaped",
    caseId: "driver/odd-topics",
    says: /list is wrong: .* is not listed/,
    spoil: paging(async function* (pages) {
      for await (const { now, entries } of pages) {
        yield {
          now,
          entries: entries.map(({ key, entry }) => ({ key: { ...key, topic: encodeURIComponent(key.topic) }, entry })),
        };
      }
    }),
  },
  {
    fault: "a namespace is all that begins like it",
    caseId: "driver/namespaces",
    says: /is wrong: after a write in the namespace before/,
    spoil: (driver) => {
      everywhere.add(driver.rows);
      return {
        read: async (keys, context) => {
          const { now, entries } = await driver.read(keys, context);
          const anywhere = (key: DriverKey): Row | undefined =>
            [...everywhere].map((rows) => rows.get(nameOf(key))).find((row) => row !== undefined);
          return { now, entries: entries.map((entry, index) => entry ?? anywhere(keys[index] as DriverKey)) };
        },
      };
    },
  },
];

/** The rows of all namespaces of this process. */
const everywhere = new Set<Map<string, Row>>();

/** A driver that stores a key under the name of another one, and shows the key that came first. */
function storedAs(fold: (key: DriverKey) => DriverKey): DriverFault {
  return (driver) => ({
    read: (keys, context) => driver.read(keys.map(fold), context),
    write: async (changes, context) => {
      const answers: ChangeAnswer[] = [];
      for (const change of changes) {
        const { changes: refused } = await driver.write([{ ...change, key: fold(change.key) }], context);
        answers.push(...(refused ?? ["written" as const]));
      }
      return { writtenAt: driver.clock(), changes: answers };
    },
  });
}

function without(key: DriverKey): { readonly consumer: string; readonly topic: string } {
  return { consumer: key.consumer, topic: key.topic };
}
