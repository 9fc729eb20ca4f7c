import { inspect } from "node:util";

import type { DriverConformanceCase } from "../driver-case.ts";
import { change, expectStored, mustBe, newVersion, positionKey, put, read, writeOne, wrong } from "../driver-calls.ts";

/** Pairs that are equal to who compares without case, as numbers, or cuts something off. */
const NEAR_VERSIONS: readonly (readonly [string, string])[] = [
  ["aBcDeFgHiJ-_", "abcdefghij-_"],
  ["aBcDeFgHiJ-_", "aBcDeFgHiJ_-"],
  ["aBcDeFgHiJ-_", "aBcDeFgHiJ-A"],
  ["aBcDeFgHiJ-_", "BBcDeFgHiJ-_"],
  ["000000000000", "-00000000000"],
  ["000000000001", "0x0000000001"],
  ["100000000000", "1e0000000011"],
  ["1e0000000011", "1E0000000011"],
  ["____________", "%%%%%%%%%%%%"],
];

/** A change is written if what is stored is what it expects, and otherwise not. */
export const conditionCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/expects-nothing",
    clause: "4.2a",
    verb: "write",
    title: "a change that expects nothing is written where nothing is, and is a conflict where something is",
    run: async ({ driver }) => {
      const key = positionKey();
      const { entries } = await read(driver, [key]);
      mustBe("read", entries[0] === undefined, `${inspect(entries[0])} where nothing was written`);
      const first = change(key, { expected: [null], value: "first" });
      mustBe("write", (await writeOne(driver, first)) === "written", "null is refused where nothing is");
      await expectStored(driver, key, withValue(first), "a change that expected nothing");
      const second = change(key, { expected: [null], value: "second" });
      mustBe("write", (await writeOne(driver, second)) === "conflict", "null passes where something is");
      await expectStored(driver, key, withValue(first), "a conflict");
    },
  },
  {
    id: "driver/expects-a-version",
    clause: "4.2a",
    verb: "write",
    title: "a change that expects a version is written over it, and is a conflict with any other and with nothing",
    run: async ({ driver }) => {
      const [key, missing] = [positionKey(), positionKey({ partition: 1 })];
      const first = change(key, { value: "first" });
      await put(driver, [first]);
      const second = change(key, { expected: [first.version], value: "second" });
      mustBe("write", (await writeOne(driver, second)) === "written", "the stored version is refused");
      await expectStored(driver, key, withValue(second), "a change that expected the stored version");
      const late = change(key, { expected: [first.version], value: "late" });
      mustBe("write", (await writeOne(driver, late)) === "conflict", "a version that is not stored any more passes");
      await expectStored(driver, key, withValue(second), "a conflict");
      const nowhere = change(missing, { expected: [first.version] });
      mustBe("write", (await writeOne(driver, nowhere)) === "conflict", "a version passes where nothing is");
      await expectStored(driver, missing, undefined, "a conflict");
    },
  },
  {
    id: "driver/versions-compared-exactly",
    clause: "4.5b",
    verb: "write",
    title: "versions are compared as text, whole, and in their case",
    run: async ({ driver }) => {
      for (const [partition, [stored, near]] of NEAR_VERSIONS.entries()) {
        const key = positionKey({ partition });
        const first = change(key, { version: stored, value: "first" });
        await put(driver, [first]);
        for (const expected of [[near], [near, null], [newVersion(), near]]) {
          const answer = await writeOne(driver, change(key, { expected }));
          mustBe("write", answer === "conflict", `${inspect(expected)} passes where ${stored} is stored`);
        }
        await expectStored(driver, key, withValue(first), "conflicts with near versions");
      }
    },
  },
  {
    id: "driver/expects-one-of-several",
    clause: "4.2a",
    verb: "write",
    title: "of several expected ones any will do, and nothing is one of them only where null is",
    run: async ({ driver }) => {
      const key = positionKey();
      let stored: string | null = null;
      const expecting = async (expected: readonly (string | null)[]): Promise<void> => {
        const next = change(key, { expected, value: inspect(expected) });
        const should = expected.includes(stored) ? "written" : "conflict";
        const answer = await writeOne(driver, next);
        mustBe(
          "write",
          answer === should,
          `${inspect(expected)} is ${inspect(answer)} where ${String(stored)} is stored`,
        );
        if (should === "written") stored = next.version;
      };
      await expecting([newVersion(), newVersion()]);
      await expecting([newVersion(), null]);
      await expecting([null, newVersion()]);
      await expecting([newVersion(), stored, newVersion()]);
      await expecting([null, stored]);
      await expecting([stored, null]);
      await expecting([newVersion(), newVersion(), null]);
      await expecting([newVersion(), stored]);
    },
  },
  {
    id: "driver/expects-anything",
    clause: "4.2a",
    verb: "write",
    title: "without a condition a change is written over anything and over nothing",
    run: async ({ driver }) => {
      const key = positionKey();
      for (const value of ["over nothing", "over something", "and again"]) {
        const next = change(key, { expected: "any", value });
        const answer = await writeOne(driver, next);
        mustBe("write", answer === "written", `"any" is ${inspect(answer)}`);
        await expectStored(driver, key, withValue(next), `a change without a condition, ${value}`);
      }
    },
  },
  {
    id: "driver/removes",
    clause: "4.2c",
    verb: "write",
    title: "a change without a value removes the entry, under the same conditions; to remove nothing is no conflict",
    run: async ({ driver }) => {
      const [key, left] = [positionKey(), positionKey({ partition: 10 })];
      const [first, other] = [change(key), change(left)];
      await put(driver, [first, other]);
      const removing = async (expected: "any" | readonly (string | null)[], should: string): Promise<void> => {
        const answer = await writeOne(driver, change(key, { value: undefined, expected }));
        if (answer !== should) wrong("write", `a removal that expects ${inspect(expected)} is ${inspect(answer)}`);
      };
      await removing([newVersion()], "conflict");
      await removing([null], "conflict");
      await expectStored(driver, key, withValue(first), "removals that met a conflict");
      await removing([newVersion(), first.version], "written");
      await expectStored(driver, key, undefined, "a removal");
      await expectStored(driver, left, withValue(other), "the removal of another");
      await removing([first.version], "conflict");
      await removing([null], "written");
      await removing("any", "written");
      await expectStored(driver, key, undefined, "removals of nothing");
      const again = change(key, { expected: [null], value: "again" });
      mustBe("write", (await writeOne(driver, again)) === "written", "null is refused where an entry was removed");
      await removing("any", "written");
      await expectStored(driver, key, undefined, "a removal without a condition");
    },
  },
  {
    id: "driver/values",
    clause: "4.5a",
    verb: "write",
    title: "a value is any text without NUL, up to 64 KiB, and comes back as it was",
    run: async ({ driver }) => {
      const values = [
        '{"v":1,"nextOffset":"9223372036854775807","metadata":"\\u0000\\n"}',
        "a\r\nb\nc\rd\te",
        "\r\n",
        " blank at both ends ",
        `'"\`\\ %s %00 ?1 $1 {{}} \${a} -- ; <a> &amp; \u007f \u2028 \ufeff`,
        "é e\u0301 ﬁ 🌊 \u{1f468}\u200d\u{1f469} \uffff \ufffd",
        "null",
        "0",
        "x".repeat(65_536),
        "🌊".repeat(16_384),
      ];
      const changes = values.map((value, partition) => change(positionKey({ partition }), { value }));
      for (const one of changes) await put(driver, [one]);
      for (const one of changes) await expectStored(driver, one.key, withValue(one), "a change with its value");
    },
  },
];

function withValue(one: ReturnType<typeof change>): { readonly version: string; readonly value: string } {
  return { version: one.version, value: one.value ?? "" };
}
