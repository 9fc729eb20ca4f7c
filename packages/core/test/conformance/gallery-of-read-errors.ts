import type { ListPage, ReadEntry } from "@tidemark/core/driver";
import { type DriverExhibit, paging } from "./driver-exhibit.ts";

/** Drivers that hide what their backend fails to give. */
export const galleryOfReadErrors: readonly DriverExhibit[] = [
  {
    fault: "a read error is answered as nothing",
    caseId: "driver/read-error",
    says: /read is wrong: a key that the backend fails to give has nothing/,
    surroundings: "durable",
    spoil: (driver) => ({
      read: async (keys, context) => {
        const { now, entries } = await driver.read(keys, context);
        return { now, entries: entries.map((entry) => (isFailed(entry) ? undefined : entry)) };
      },
    }),
  },
  {
    fault: "a read error is answered with an empty value",
    caseId: "driver/read-error",
    says: /read is wrong: a key that the backend fails to give is \{/,
    surroundings: "durable",
    spoil: (driver) => ({
      read: async (keys, context) => {
        const { now, entries } = await driver.read(keys, context);
        const given = { version: "AAAAAAAAAAAA", value: "", writtenAt: now };
        return { now, entries: entries.map((entry) => (isFailed(entry) ? given : entry)) };
      },
    }),
  },
  {
    fault: "a read error of one key takes its whole call along",
    caseId: "driver/read-error",
    says: /read is wrong: a key that the backend fails to give takes its whole call along/,
    surroundings: "durable",
    spoil: (driver) => ({
      read: async (keys, context) => {
        const answer = await driver.read(keys, context);
        for (const entry of answer.entries) if (isFailed(entry)) throw entry.error;
        return answer;
      },
    }),
  },
  {
    fault: "a listing passes over a read error",
    caseId: "driver/read-error",
    says: /list is wrong: it leaves out what the backend fails to give, and ends as if it were complete/,
    surroundings: "durable",
    spoil: paging(async function* (pages): AsyncGenerator<ListPage> {
      for await (const { now, entries } of pages)
        yield { now, entries: entries.filter(({ entry }) => !isFailed(entry)) };
    }),
  },
  {
    fault: "nothing is expected where the backend fails to give what is",
    caseId: "driver/read-error",
    says: /write is wrong: \[ null \] passes where the backend fails to give what is/,
    surroundings: "durable",
    spoil: (driver) => ({
      write: async (changes, context) => {
        const { entries } = await driver.read(
          changes.map(({ key }) => key),
          context,
        );
        const free = changes.map((change, at) =>
          isFailed(entries[at]) && change.expected !== "any" && change.expected.includes(null)
            ? { ...change, expected: "any" as const }
            : change,
        );
        return driver.write(free, context);
      },
    }),
  },
];

function isFailed(entry: ReadEntry): entry is Extract<ReadEntry, { readonly error: unknown }> {
  return entry !== undefined && "error" in entry;
}
