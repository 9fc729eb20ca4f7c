import type { OffsetResetPolicy } from "@tidemark/core";
import { atTimestamp } from "./at-timestamp.ts";
import { byDuration } from "./by-duration.ts";
import { earliest } from "./earliest.ts";
import { lastOffset } from "./last-offset.ts";
import { latest } from "./latest.ts";
import { nearest } from "./nearest.ts";
import { none } from "./none.ts";
import { parseMoment } from "./parse-moment.ts";

const plain: ReadonlyMap<string, () => OffsetResetPolicy> = new Map([
  ["earliest", earliest],
  ["latest", latest],
  ["last-offset", lastOffset],
  ["nearest", nearest],
  ["none", none],
]);

const withArgument: ReadonlyMap<string, (argument: string) => OffsetResetPolicy> = new Map([
  ["by_duration", byDuration],
  ["at_timestamp", (argument: string) => atTimestamp(parseMoment(argument))],
]);

/** How the names are written, for messages and help texts: the plain ones, then an example of each that takes an argument. */
export const offsetResetPolicyNames: readonly string[] = Object.freeze([
  ...plain.keys(),
  "by_duration:PT1H",
  "at_timestamp:2026-01-01T00:00:00Z",
]);

/**
 * The policy of a name, or `undefined` if there is none of that name.
 *
 * @param name - One of `earliest`, `latest`, `last-offset`, `nearest`, `none`, `by_duration:` with an ISO 8601 duration,
 *   or `at_timestamp:` with an ISO 8601 date, or date and time with its zone.
 * @throws TypeError if what follows the colon is wrong, missing, or there where the name takes nothing.
 */
export function offsetResetPolicyByName(name: string): OffsetResetPolicy | undefined {
  const colon = name.indexOf(":");
  const word = colon < 0 ? name : name.slice(0, colon);
  const argument = colon < 0 ? undefined : name.slice(colon + 1);
  const makeWith = withArgument.get(word);
  if (makeWith !== undefined) {
    if (argument !== undefined) return makeWith(argument);
    const example = offsetResetPolicyNames.find((known) => known.startsWith(word));
    throw new TypeError(
      `reset policy ${JSON.stringify(word)} needs an argument, for example ${JSON.stringify(example)}`,
    );
  }
  const make = plain.get(word);
  if (make !== undefined && argument !== undefined) {
    throw new TypeError(`reset policy ${JSON.stringify(word)} takes no argument, got ${JSON.stringify(argument)}`);
  }
  return make?.();
}
