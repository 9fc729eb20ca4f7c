import strict, { AssertionError } from "node:assert/strict";
import { inspect, isDeepStrictEqual } from "node:util";

type Verb = "ok" | "equal" | "notEqual" | "deepEqual" | "rejects" | "throws" | "fail";

/**
 * Node's assertions, except that a difference of long lists is reported by its first entry. Node's own report compares the
 * two texts line by line: a thousand failed outcomes take gigabytes and minutes.
 */
export const assert: Pick<typeof strict, Verb> = { ...strict, deepEqual };

const SHORT = { depth: 10, maxArrayLength: 50, maxStringLength: 5_000 } as const;
const SHORT_LENGTH = 10_000;
const ENTRY = { depth: 3, maxArrayLength: 3, maxStringLength: 200, breakLength: Infinity } as const;

function deepEqual<Expected>(
  actual: unknown,
  expected: Expected,
  message?: string | Error,
): asserts actual is Expected {
  if (isDeepStrictEqual(actual, expected)) return;
  if (message !== undefined || (isShort(actual) && isShort(expected))) {
    strict.deepEqual(actual, expected, message);
    return;
  }
  throw new AssertionError({ message: firstDifference(actual, expected), stackStartFn: deepEqual });
}

function isShort(value: unknown): boolean {
  const text = inspect(value, SHORT);
  return text.length <= SHORT_LENGTH && !/\.\.\. \d+ more /.test(text);
}

function firstDifference(actual: unknown, expected: unknown): string {
  if (!Array.isArray(actual) || !Array.isArray(expected))
    return `got ${inspect(actual, ENTRY)} instead of ${inspect(expected, ENTRY)}`;
  const longer = actual.length > expected.length ? actual : expected;
  const index = longer.findIndex(
    (_, each) => each >= Math.min(actual.length, expected.length) || !isDeepStrictEqual(actual[each], expected[each]),
  );
  const entry = (list: readonly unknown[]): string => (index < list.length ? inspect(list[index], ENTRY) : "nothing");
  return (
    `got ${actual.length} entries instead of ${expected.length}; ` +
    `the first that differs is entry ${index}: ${entry(actual)} instead of ${entry(expected)}`
  );
}
