import { OffsetOutOfRangeError, type OffsetResetPolicy } from "@tidemark/core";
import { offsetResetPolicyCases } from "@tidemark/core/conformance";
import { earliest } from "@tidemark/reset-policies";
import { expect, test } from "vitest";

/** Broken policies, each under the id of the case that has to find its fault. */
const gallery: readonly [id: string, fault: string, create: () => OffsetResetPolicy][] = [
  ["name", "has an empty name", () => ({ name: "", timestamp: () => -2 })],
  ["name", "is called differently each time", () => ({ name: crypto.randomUUID(), timestamp: () => -2 })],
  ["timestamp-answers", "asks for NaN", () => ({ name: "broken", timestamp: () => NaN })],
  ["timestamp-answers", "asks for a fraction", () => ({ name: "broken", timestamp: () => 0.5 })],
  ["timestamp-answers", "asks for -3", () => ({ name: "broken", timestamp: () => -3 })],
  [
    "timestamp-answers",
    "answers with a promise",
    () => ({ name: "broken", timestamp: (() => Promise.resolve(-2)) as unknown as () => number }),
  ],
  [
    "timestamp-answers",
    "throws what nobody knows",
    () => ({
      name: "broken",
      timestamp: () => {
        throw new Error("no idea");
      },
    }),
  ],
  [
    "timestamp-answers",
    "writes to what it is told",
    () => ({
      name: "broken",
      timestamp: (context) => {
        (context as { earliest: bigint }).earliest = 0n;
        return -2;
      },
    }),
  ],
  ["timestamp-repeatable", "takes turns", () => alternating()],
  [
    "adjust-offset-pure",
    "answers with a number",
    () => ({ name: "broken", timestamp: () => -2, adjustOffset: () => 5 as unknown as bigint }),
  ],
  ["adjust-offset-pure", "remembers whether it was asked before", () => onceOnly()],
  ["ends-in-log", "never leaves a record that is gone", () => insisting()],
  ["ends-in-log", "loses the last bit of a large offset", () => rounding()],
  [
    "ends-in-log",
    "stays where it failed",
    () => ({ name: "broken", timestamp: () => -1, adjustOffset: (last) => last }),
  ],
  [
    "starts-in-log",
    "asks for the record before the first",
    () => ({ name: "broken", timestamp: () => -2, adjustOffset: (_, next) => next - 1n }),
  ],
  ["refusal-carries-bounds", "refuses without the bounds", () => refusing()],
  ["partitions-apart", "keeps what it said of another partition", () => remembering()],
];

test.each(gallery)("case %s finds a policy that %s", (id, _fault, create) => {
  const found = offsetResetPolicyCases.find((policyCase) => policyCase.id === id);
  expect(() => found?.run(create)).toThrow();
});

test("every case has a policy that fails it, and passes a sound one", () => {
  const ids = new Set(gallery.map(([id]) => id));
  expect(offsetResetPolicyCases.map(({ id }) => id)).toEqual([...ids]);
  for (const { run } of offsetResetPolicyCases) run(earliest);
});

function alternating(): OffsetResetPolicy {
  let calls = 0;
  return { name: "broken", timestamp: () => ((calls += 1) % 2 === 0 ? -1 : -2) };
}

function onceOnly(): OffsetResetPolicy {
  let asked = false;
  return {
    name: "broken",
    timestamp: () => -1,
    adjustOffset: (_, end) => {
      if (asked) return end;
      asked = true;
      return end - 1n;
    },
  };
}

function insisting(): OffsetResetPolicy {
  return { name: "broken", timestamp: () => -1, adjustOffset: (_, end) => (end === 0n ? end : end - 1n) };
}

function rounding(): OffsetResetPolicy {
  return { name: "broken", timestamp: () => -2, adjustOffset: (_, next) => BigInt(Number(next)) };
}

function refusing(): OffsetResetPolicy {
  return {
    name: "broken",
    timestamp: ({ topic, partition, requested }) => {
      throw new OffsetOutOfRangeError({ topic, partition, requested });
    },
  };
}

function remembering(): OffsetResetPolicy {
  let highest = 0n;
  return {
    name: "broken",
    timestamp: ({ latest }) => {
      if (latest > highest) highest = latest;
      return -2;
    },
    adjustOffset: () => highest,
  };
}
