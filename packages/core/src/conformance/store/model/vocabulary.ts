import type { OffsetKey } from "../../../key.ts";
import type { OffsetRange } from "../../../offset-record.ts";

/** Few keys, so that commands meet; plain ones first, then names that stores stumble over, some with a part in common. */
export const KEYS: readonly OffsetKey[] = [
  { consumer: "c1", topic: "t", partition: 0 },
  { consumer: "c1", topic: "t", partition: 2 ** 31 - 1 },
  { consumer: "c1", topic: "t1", partition: 0 },
  { consumer: "c10", topic: "t", partition: 0 },
  { consumer: "c1:t", topic: "t%2F", partition: 0 },
  { consumer: "__proto__", topic: "t", partition: 0 },
  { consumer: "c1", topic: "../{t}*", partition: 1 },
  { consumer: "__proto__", topic: "Ö\n/🌊", partition: 1 },
];
export const CONSUMERS = distinct(KEYS.map(({ consumer }) => consumer));
export const TOPICS = distinct(KEYS.map(({ topic }) => topic));
export const PARTITIONS = distinct(KEYS.map(({ partition }) => partition));
export const TOKENS = ["token-a", "token-b", "Token-A"];
export const OWNERS = ["o1", "ö2"];
export const MEMBERS = ["m1", "m-Ö 2"];
export const MARKS = ["log-1", "ö/2", '"'];
/** What was done beyond a position: for each range, how far it begins beyond what is before it, and how long it is. */
export const ACKNOWLEDGED: readonly (readonly (readonly [gap: number, length: number])[])[] = [
  [],
  [[1, 1]],
  [
    [5, 1_000],
    [1, 2],
  ],
];
export const RESETS: readonly { readonly nextOffset?: bigint; readonly reason: string }[] = [
  { reason: "start" },
  { nextOffset: 2n ** 53n + 1n, reason: "below-log" },
];
export const METADATA = ["m", "", '{"a":"b"}', "Grüße\0\n", "x".repeat(4_096)];
/** Hours and more: nothing expires but what a command lets expire. */
export const TTLS = [null, 3_600_000, 86_400_000, 5_000_000_000];
const MAX_OFFSET = 2n ** 63n - 1n;
/** Positions where arithmetic goes wrong: as numbers, as text, as signed 64 bits. */
export const ODD_OFFSETS = [0n, 9n, 10n, 99n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, MAX_OFFSET - 1n, MAX_OFFSET];

/** The nearest offset that can be stored. */
export function withinRange(offset: bigint): bigint {
  return offset < 0n ? 0n : offset > MAX_OFFSET ? MAX_OFFSET : offset;
}

/** Ranges beyond a position, as far as there are offsets. */
export function rangesBeyond(
  nextOffset: bigint,
  ranges: readonly (readonly [gap: number, length: number])[],
): OffsetRange[] {
  let end = nextOffset;
  return ranges.flatMap(([gap, length]) => {
    const from = end + BigInt(gap);
    end = from + BigInt(length);
    return end <= MAX_OFFSET ? [{ from, to: end }] : [];
  });
}

function distinct<Item>(items: readonly Item[]): Item[] {
  return [...new Set(items)];
}
