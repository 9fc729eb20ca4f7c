import { OffsetStoreError, type ConsumerEvent } from "@tidemark/core";
import { expect, test } from "vitest";
import { eventMessage } from "../../src/commands/consume/event-message.ts";

const key = { consumer: "c1", topic: "t", partition: 0 };
const at = { topic: "t", partition: 0 };
const below = { type: "reset", ...at, reason: "below-log", from: 5n, earliest: 9n, latest: 20n } as const;
const beyond = { type: "reset", ...at, policy: "nearest", reason: "beyond-log", from: 9n, earliest: 0n } as const;
const other = { ...beyond, policy: "latest", reason: "other-log" } as const;
const truncated = { ...beyond, reason: "truncated", latest: 30n, to: 6n, skipped: 0n } as const;

const cases: readonly (readonly [event: ConsumerEvent, message: string])[] = [
  [
    { ...below, policy: "earliest", to: 9n, skipped: 4n },
    'topic "t" partition "0": offset 5 is older than what the log keeps; policy earliest continues at 9, 4 records skipped',
  ],
  [
    { ...below, policy: "latest", to: 20n, skipped: 15n },
    'topic "t" partition "0": offset 5 is older than what the log keeps; policy latest continues at 20, 15 records skipped (4 gone, 11 still there)',
  ],
  [
    { ...beyond, latest: 4n, to: 4n, skipped: 4n },
    'topic "t" partition "0": offset 9 lies beyond the log\'s end at 4; policy nearest continues at 4, the 4 records before it are not read',
  ],
  [
    { ...beyond, latest: 30n, to: 30n, skipped: 30n },
    'topic "t" partition "0": offset 9 lay beyond the log\'s end, now at 30; policy nearest continues at 30, the 30 records before it are not read',
  ],
  [
    { ...beyond, latest: 1n, to: 1n, skipped: 1n },
    'topic "t" partition "0": offset 9 lies beyond the log\'s end at 1; policy nearest continues at 1, the record before it is not read',
  ],
  [
    { ...other, latest: 30n, to: 0n, skipped: 0n },
    'topic "t" partition "0": offset 9 belongs to another log: the topic was recreated; policy latest continues at 0',
  ],
  [
    { ...other, latest: 30n, to: 30n, skipped: 30n },
    'topic "t" partition "0": offset 9 belongs to another log: the topic was recreated; policy latest continues at 30, the 30 records before it are not read',
  ],
  [
    truncated,
    'topic "t" partition "0": offset 9 no longer exists: the log was truncated; policy nearest continues at 6',
  ],
  [
    { type: "flush-failed", keys: [key, { ...key, partition: 1 }], error: storeError("no answer") },
    'consumer "c1" on topic "t" partition "0" and 1 more could not be written yet; trying again: no answer; see https://github.com/tidemark-js/tidemark/blob/main/docs/errors.md#unavailable',
  ],
  [
    {
      type: "behind",
      key,
      sent: 3n,
      record: { ...key, nextOffset: 7n, metadata: "", epoch: 1, updatedAt: new Date() },
    },
    'consumer "c1" on topic "t" partition "0": the stored position 7 is ahead of 3 and stays',
  ],
  [
    { type: "partition-added", topic: "t", partition: 2 },
    'topic "t" partition "2": is new, and is read from its beginning',
  ],
  [{ type: "recovered" }, "the store accepts positions again"],
];

test.each(cases)("%o", (event, message) => {
  expect(eventMessage(event, { start: undefined, verbose: false })).toBe(message);
});

test("what is as it should be is said only when asked for", () => {
  const event: ConsumerEvent = { type: "resumed", ...at, nextOffset: 7n };
  expect(eventMessage(event, { start: undefined, verbose: false })).toBeUndefined();
  expect(eventMessage(event, { start: undefined, verbose: true })).toBe('topic "t" partition "0": continues at 7');
});

function storeError(message: string): OffsetStoreError {
  return new OffsetStoreError(message, { code: "UNAVAILABLE", operation: "commit", store: "sqlite" });
}
