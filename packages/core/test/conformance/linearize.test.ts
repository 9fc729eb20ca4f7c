import assert from "node:assert/strict";
import * as fc from "fast-check";
import { describe, it } from "vitest";
import { type Interval, linearize, type SequentialModel } from "@tidemark/core/conformance";

/** A register that is read, written, and compared and swapped. */
interface Operation extends Interval {
  readonly what: "read" | "write" | "swap";
  readonly value: number;
  /** What a swap wants to find. */
  readonly expected: number;
  /** What a read saw, or whether a swap swapped (1) or not (0). */
  readonly answer: number;
}

const register: SequentialModel<number, Operation> = {
  initial: 0,
  step: (state, { what, value, expected, answer, answeredAt }) => {
    const swaps = what === "swap" && state === expected;
    const next = what === "write" || swaps ? value : state;
    const said = what === "read" ? state : what === "swap" ? Number(swaps) : answer;
    return answeredAt === undefined || said === answer ? { next } : undefined;
  },
  identity: String,
};

/** All orders of all choices of operations without an answer: slow, and plainly right. */
function linearizableByTrying(operations: readonly Operation[]): boolean {
  const from = (left: readonly Operation[], state: number): boolean => {
    if (left.every(({ answeredAt }) => answeredAt === undefined)) return true;
    return left.some((operation, index) => {
      // Nothing that is left may have been answered before this one was called.
      if (left.some(({ answeredAt }) => answeredAt !== undefined && answeredAt < operation.calledAt)) return false;
      const step = register.step(state, operation);
      return (
        step !== undefined &&
        from(
          left.filter((_, other) => other !== index),
          step.next,
        )
      );
    });
  };
  return from(operations, register.initial);
}

const at = (calledAt: number, answeredAt: number | undefined): Interval => ({
  calledAt: BigInt(calledAt),
  ...(answeredAt !== undefined && { answeredAt: BigInt(answeredAt) }),
});
const read = (from: number, to: number, answer: number): Operation => ({
  ...at(from, to),
  what: "read",
  value: 0,
  expected: 0,
  answer,
});
const write = (from: number, to: number | undefined, value: number): Operation => ({
  ...at(from, to),
  what: "write",
  value,
  expected: 0,
  answer: 0,
});
const swap = (from: number, to: number | undefined, expected: number, value: number, answer: number): Operation => ({
  ...at(from, to),
  what: "swap",
  value,
  expected,
  answer,
});

describe("linearize finds an order for", () => {
  const histories: Record<string, Operation[]> = {
    "no operation at all": [],
    "one after the other": [write(0, 1, 5), read(2, 3, 5)],
    "a read that overlaps a write and sees it": [write(0, 10, 5), read(1, 2, 5)],
    "a read that overlaps a write and does not see it": [write(0, 10, 5), read(1, 2, 0)],
    "two writes at once, read in one order": [write(0, 10, 1), write(0, 10, 2), read(11, 12, 1), read(13, 14, 1)],
    "the same moment: what might overlap does": [write(0, 5, 1), read(5, 6, 0)],
    "one swap of two that race": [swap(0, 5, 0, 1, 1), swap(0, 5, 0, 2, 0), read(6, 7, 1)],
    "a lost answer of what happened": [write(0, undefined, 5), read(10, 11, 5)],
    "a lost answer of what did not happen": [write(0, undefined, 5), read(10, 11, 0)],
    "a lost answer of what happened late": [write(0, undefined, 5), read(10, 11, 0), read(12, 13, 5)],
    "an order that the search meets last": [
      write(0, 20, 1),
      write(1, 20, 2),
      write(2, 20, 3),
      read(3, 4, 3),
      read(5, 6, 2),
      read(7, 8, 1),
    ],
  };
  for (const [title, history] of Object.entries(histories)) {
    it(`the history: ${title}`, () => {
      const { linearizable, order } = linearize(history, register);
      assert.equal(linearizable, true);
      const answered = history.filter(({ answeredAt }) => answeredAt !== undefined);
      assert.deepEqual(new Set(order.filter(({ answeredAt }) => answeredAt !== undefined)), new Set(answered));
    });
  }
});

describe("linearize finds no order for", () => {
  const histories: Record<string, Operation[]> = {
    "a read of what nobody wrote": [read(0, 1, 5)],
    "a read that comes after a write and does not see it": [write(0, 1, 5), read(2, 3, 0)],
    "a value that comes back": [write(0, 10, 5), read(1, 2, 5), read(3, 4, 0)],
    "two writes at once, read in both orders": [write(0, 1, 1), write(0, 1, 2), read(2, 3, 1), read(4, 5, 2)],
    "two swaps of a race that both swap": [swap(0, 5, 0, 1, 1), swap(0, 5, 0, 2, 1)],
    "a lost answer of what comes to nothing again": [write(0, undefined, 5), read(10, 11, 5), read(12, 13, 0)],
    "a read before the write that it saw": [read(0, 1, 5), write(2, undefined, 5)],
  };
  for (const [title, history] of Object.entries(histories)) {
    it(`the history: ${title}`, () => assert.equal(linearize(history, register).linearizable, false));
  }
});

it("linearize says of random histories what trying all orders says, and gives an order that is one", () => {
  const operation = fc
    .record({
      what: fc.constantFrom("read" as const, "write" as const, "swap" as const),
      value: fc.nat({ max: 2 }),
      expected: fc.nat({ max: 2 }),
      answer: fc.nat({ max: 2 }),
      calledAt: fc.nat({ max: 12 }),
      lasts: fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 6 }) }, fc.constant(undefined)),
      attempts: fc.integer({ min: 1, max: 2 }),
    })
    .map(({ calledAt, lasts, attempts, ...rest }): Operation[] => {
      const one = { ...rest, ...at(calledAt, lasts === undefined ? undefined : calledAt + lasts) };
      // A call without an answer may have been made several times: each is the same operation.
      return Array.from({ length: lasts === undefined ? attempts : 1 }, () => one);
    });
  const seen = { yes: 0, no: 0 };
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 6, size: "max" }), (calls) => {
      // Trying all orders of more takes too long.
      const history = calls.flat().slice(0, 6);
      const { linearizable, order } = linearize(history, register);
      assert.equal(linearizable, linearizableByTrying(history));
      seen[linearizable ? "yes" : "no"] += 1;
      if (!linearizable) return;
      let state = register.initial;
      order.forEach((one, index) => {
        for (const later of order.slice(index + 1)) {
          assert.ok(later.answeredAt === undefined || later.answeredAt >= one.calledAt, "not in the order of time");
        }
        const step = register.step(state, one);
        assert.ok(step, "an answer that the order does not give");
        state = step.next;
      });
    }),
    { numRuns: 5_000 },
  );
  assert.ok(seen.yes > 500 && seen.no > 500, `too much of one kind: ${JSON.stringify(seen)}`);
});

it("linearize decides a long history of many clients", () => {
  // Nine clients write at once, again and again: without a memory of what was searched this takes for ever.
  const rounds = Array.from({ length: 12 }, (_, round) => [
    ...Array.from({ length: 9 }, (__, client) => write(100 * round, 100 * round + 50, client + 1)),
    read(100 * round + 60, 100 * round + 70, (round % 9) + 1),
  ]).flat();
  assert.equal(linearize(rounds, register).linearizable, true);
  const wrong = [...rounds, read(5_000, 5_001, 99)];
  assert.equal(linearize(wrong, register).linearizable, false);
});

it("linearize decides a history in which many calls have no answer", () => {
  // To have more of them carried out than it takes is no other way: without this it is tried in a million ways.
  const lost = Array.from({ length: 16 }, (_, index) => swap(0, undefined, index % 2, (index + 1) % 2, 0));
  const reads = Array.from({ length: 10 }, (_, index) => read(10 * index + 1, 10 * index + 2, index % 2));
  assert.equal(linearize([...lost, ...reads], register).linearizable, true);
  assert.equal(linearize([...lost, ...reads, read(500, 501, 9)], register).linearizable, false);
});
