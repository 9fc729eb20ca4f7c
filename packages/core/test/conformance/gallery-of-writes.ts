import type { Change, ChangeAnswer } from "@tidemark/core/driver";
import { answersOf, changing, type DriverExhibit } from "./driver-exhibit.ts";
import { turn } from "./exhibit.ts";
import { fits, nameOf } from "./sound-backend.ts";

/** Drivers that compare wrongly, or write what they should not. */
export const galleryOfWrites: readonly DriverExhibit[] = [
  {
    fault: "a version is not compared",
    caseId: "driver/expects-a-version",
    says: /write is wrong: a version that is not stored any more passes/,
    spoil: changing((asked) =>
      asked.expected === "any" || asked.expected.includes(null) ? asked : { ...asked, expected: "any" },
    ),
  },
  {
    fault: "a new entry is written over another",
    caseId: "driver/expects-nothing",
    says: /write is wrong: null passes where something is/,
    spoil: changing((asked) =>
      asked.expected !== "any" && asked.expected.includes(null) ? { ...asked, expected: "any" } : asked,
    ),
  },
  {
    fault: "a change without a condition needs something to change",
    caseId: "driver/expects-anything",
    says: /write is wrong: "any" is 'conflict'/,
    spoil: changing((asked, driver) => {
      if (asked.expected !== "any") return asked;
      return { ...asked, expected: [driver.rows.get(nameOf(asked.key))?.version ?? "nothing"] };
    }),
  },
  {
    fault: "of several expected versions the first alone is compared",
    caseId: "driver/expects-one-of-several",
    says: /write is wrong: .* is 'conflict' where/,
    spoil: changing((asked) => (asked.expected === "any" ? asked : { ...asked, expected: asked.expected.slice(0, 1) })),
  },
  {
    fault: "nothing is none of several",
    caseId: "driver/expects-one-of-several",
    says: /write is wrong: .* is 'conflict' where null is stored/,
    spoil: changing((asked) =>
      asked.expected === "any" || asked.expected.length === 1
        ? asked
        : { ...asked, expected: asked.expected.filter((one) => one !== null) },
    ),
  },
  {
    fault: "versions are compared without regard to case",
    caseId: "driver/versions-compared-exactly",
    says: /write is wrong: .*abcdefghij-_.* passes/,
    spoil: changing((asked, driver) => {
      const stored = driver.rows.get(nameOf(asked.key))?.version;
      if (asked.expected === "any" || stored === undefined) return asked;
      const isSame = asked.expected.some((one) => one?.toLowerCase() === stored.toLowerCase());
      return isSame ? { ...asked, expected: [stored] } : asked;
    }),
  },
  {
    fault: "versions are compared as numbers",
    caseId: "driver/versions-compared-exactly",
    says: /write is wrong: .* passes where 0+ is stored/,
    spoil: changing((asked, driver) => {
      const stored = driver.rows.get(nameOf(asked.key))?.version;
      if (asked.expected === "any" || stored === undefined) return asked;
      const isSame = asked.expected.some((one) => one !== null && Number(one) === Number(stored));
      return isSame ? { ...asked, expected: [stored] } : asked;
    }),
  },
  {
    fault: "to remove nothing is a conflict",
    caseId: "driver/removes",
    says: /write is wrong: a removal that expects \[ null \] is 'conflict'/,
    spoil: changing((asked, driver) =>
      asked.value === undefined && !driver.rows.has(nameOf(asked.key)) ? { ...asked, expected: ["something"] } : asked,
    ),
  },
  {
    fault: "a removal goes by the key alone",
    caseId: "driver/removes",
    says: /write is wrong: a removal that expects .* is 'written'/,
    spoil: changing((asked) => (asked.value === undefined ? { ...asked, expected: "any" } : asked)),
  },
  {
    fault: "a removal leaves an empty entry",
    caseId: "driver/removes",
    says: /after a removal there is .* and should be nothing/,
    spoil: changing((asked, driver) =>
      asked.value === undefined && driver.rows.has(nameOf(asked.key)) ? { ...asked, value: "" } : asked,
    ),
  },
  {
    fault: "carriage returns are lost in a file of lines",
    caseId: "driver/values",
    says: /write is wrong: after a change with its value there is/,
    spoil: changing((asked) => ({ ...asked, value: asked.value?.replaceAll("\r\n", "\n") })),
  },
  {
    fault: "a value is cut after 32 KiB",
    caseId: "driver/values",
    says: /write is wrong: after a change with its value there is .*; the values differ at character 32768, of 32768 and 65536/,
    spoil: changing((asked) => ({ ...asked, value: asked.value?.slice(0, 32_768) })),
  },
  {
    fault: "bytes are read in pieces, each made a text by itself: a character that lies in two is lost",
    caseId: "driver/values",
    says: /write is wrong: after a change with its value there is .*; the values differ at character 20000, of 32770 and 32768/,
    spoil: changing((asked) => ({ ...asked, value: asked.value === undefined ? undefined : inPieces(asked.value) })),
  },
  {
    fault: "what a batch skips is said to be written",
    caseId: "driver/conflict-in-a-batch",
    says: /write is wrong: where change 1 of 2 is a conflict change 2 is 'written', not skipped/,
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answer = await driver.write(changes, context);
        const told = (one: ChangeAnswer): ChangeAnswer => (one === "skipped" ? "written" : one);
        return { ...answer, changes: answer.changes?.map(told) };
      },
    }),
  },
  {
    fault: "all changes of a batch that met a conflict are conflicts",
    caseId: "driver/conflict-in-a-batch",
    says: /write is wrong: where change 1 of 2 is a conflict change 2 is 'conflict', not skipped/,
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answer = await driver.write(changes, context);
        return { ...answer, changes: answer.changes?.map(() => "conflict") };
      },
    }),
  },
  {
    fault: "a conflict leaves the others of an atomic batch written",
    caseId: "driver/conflict-in-a-batch",
    says: /write is wrong: where change 1 of 2 is a conflict change 2 is 'written', not skipped/,
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answers: ChangeAnswer[] = [];
        for (const change of changes) answers.push(...answersOf(await driver.write([change], context), [change]));
        return { writtenAt: driver.clock(), changes: answers };
      },
    }),
  },
  {
    fault: "a batch is atomic up to 100 changes",
    caseId: "driver/conflict-in-a-batch",
    says: /write is wrong: where change \d+ of 101 is a conflict change \d+ is 'written', not skipped/,
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answers: ChangeAnswer[] = [];
        for (let from = 0; from < changes.length; from += 100) {
          const part = changes.slice(from, from + 100);
          answers.push(...answersOf(await driver.write(part, context), part));
        }
        return { writtenAt: driver.clock(), changes: answers };
      },
    }),
  },
  {
    fault: "changes are answered in the backend's order",
    caseId: "driver/conflicts-in-order",
    says: /write is wrong: change \d+ of 12 is/,
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answer = await driver.write(changes, context);
        return { ...answer, changes: answer.changes?.toReversed() };
      },
    }),
  },
  {
    fault: "each change of a call has a time of its own",
    caseId: "driver/write-many",
    says: /write is wrong: a call was stamped \d+ and \d+, and answered at \d+/,
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answer = await driver.write(changes, context);
        for (const [index, { key }] of changes.entries()) {
          const row = driver.rows.get(nameOf(key));
          if (row !== undefined) driver.put(nameOf(key), { ...row, writtenAt: row.writtenAt + index });
        }
        return answer;
      },
    }),
  },
  {
    fault: "a driver compares first and writes later",
    caseId: "driver/one-of-many",
    says: /write is wrong: \d of 6 changes were written/,
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answers = changes.map((change) => fits(change, driver.rows.get(nameOf(change.key))));
        if (answers.includes(false)) return { changes: answers.map((isFit) => (isFit ? "skipped" : "conflict")) };
        await turn();
        return driver.write(
          changes.map((change) => ({ ...change, expected: "any" as const })),
          context,
        );
      },
    }),
  },
  {
    fault: "two calls that wait for each other both fail",
    caseId: "driver/none-lost",
    says: /write is wrong: a change in a race failed/,
    spoil: (driver, shared) => ({
      write: async (changes, context) => {
        const isBusy = shared.get("writing") === true;
        shared.set("writing", true);
        await turn();
        shared.set("writing", false);
        if (!isBusy) return driver.write(changes, context);
        return { changes: changes.map(() => ({ status: "failed", error: new Error("deadlock detected") })) };
      },
    }),
  },
  {
    fault: "changes are prepared under their version, and all but the topic of their key",
    caseId: "driver/one-version-for-many",
    says: /write is wrong: of 24 changes of one call that carry the same version .*"t1".* is created, and then there is .*"t3"/s,
    spoil: (driver) => ({
      write: (changes, context) => {
        const nameIn = ({ key, version }: Change): string => nameOf({ ...key, topic: version });
        const prepared = new Map(changes.map((change) => [nameIn(change), change.value]));
        return driver.write(
          changes.map((change) => ({ ...change, value: prepared.get(nameIn(change)) })),
          context,
        );
      },
    }),
  },
  {
    fault: "a driver's capabilities can be changed",
    caseId: "driver/capabilities",
    says: /capabilities is wrong: they must be frozen/,
    spoil: (driver) => ({ capabilities: { ...driver.capabilities } }),
  },
  {
    fault: "a driver's capabilities are frozen on the surface",
    caseId: "driver/capabilities",
    says: /capabilities is wrong: they must have `expiry`, frozen by itself/,
    spoil: (driver) => ({
      capabilities: Object.freeze({ ...driver.capabilities, expiry: { ...driver.capabilities.expiry } }),
    }),
  },
];

/** A text by way of its bytes, in two pieces of which each is decoded alone. */
function inPieces(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.subarray(0, 40_001).toString() + bytes.subarray(40_001).toString();
}
