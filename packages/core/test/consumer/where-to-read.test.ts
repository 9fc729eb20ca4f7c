import { type ListOffsetsEntry, type OffsetResetPolicy, whereToRead, type WhereToReadOptions } from "@tidemark/core";
import { expect, test } from "vitest";

/** A log from 10 to 20 in every partition; its records are a second apart, from the epoch on. */
const listOffsets = (entries: readonly ListOffsetsEntry[]) =>
  entries.map(({ partition, timestamp }) => {
    if (timestamp < 0) return { partition, offset: timestamp === -2 ? 10n : 20n };
    const offset = BigInt(Math.ceil(timestamp / 1_000));
    return offset < 20n ? { partition, offset: offset > 10n ? offset : 10n } : { partition };
  });
const options = { topic: "orders", listOffsets };
const range = { earliest: 10n, latest: 20n };

test("a position that the log has is kept, one that is gone goes to the policy, a missing one to start (contract 6.9)", async () => {
  const positions = [
    { partition: 0, nextOffset: 15n },
    { partition: 1 },
    { partition: 2, nextOffset: 3n },
    { partition: 3, nextOffset: 99n },
  ];
  expect(await whereToRead({ ...options, positions, start: "latest", resetPolicy: "nearest" })).toEqual([
    { partition: 0, nextOffset: 15n, ...range },
    { partition: 1, nextOffset: 20n, reason: "start", ...range },
    { partition: 2, nextOffset: 10n, reason: "below-log", requested: 3n, ...range },
    { partition: 3, nextOffset: 20n, reason: "beyond-log", requested: 99n, ...range },
  ]);
});

test.each([
  ["an absolute one", 12n, 12n],
  ["a date", new Date(13_000), 13n],
  ["from the end", { fromEnd: 4 }, 16n],
  ["a number of records beyond the log", { fromBeginning: 50 }, 20n],
] as const)("start may be %s (contract 5.16)", async (_what, start, nextOffset) => {
  const [found] = await whereToRead({ ...options, positions: [{ partition: 0 }], start });
  expect(found).toEqual({ partition: 0, nextOffset, reason: "start", ...range });
});

test("an absolute start that the log does not have goes to the policy, and is told (contract 5.16)", async () => {
  const [found] = await whereToRead({ ...options, positions: [{ partition: 0 }], start: 7n });
  expect(found).toEqual({ partition: 0, nextOffset: 10n, reason: "start", requested: 7n, ...range });
});

test("a policy that refuses to choose rejects; nothing is chosen for the others (contract 6.6)", async () => {
  const positions = [{ partition: 0, nextOffset: 3n }, { partition: 1 }];
  await expect(whereToRead({ ...options, positions, start: "earliest", resetPolicy: "none" })).rejects.toMatchObject({
    code: "OFFSET_OUT_OF_RANGE",
    ...{ partition: 0, requested: 3n, ...range },
  });
});

test("all that are lost are looked up in one call (contract 6.4)", async () => {
  const calls: number[] = [];
  const counted = (entries: readonly ListOffsetsEntry[]) => {
    calls.push(entries.length);
    return listOffsets(entries);
  };
  const positions = Array.from({ length: 100 }, (_, partition) => ({ partition, nextOffset: 3n }));
  await whereToRead({ topic: "orders", listOffsets: counted, positions });
  expect(calls).toEqual([200, 200]);
});

test.each<[string, Record<string, unknown>]>([
  ["topic", { topic: "" }],
  ["listOffsets", { listOffsets: undefined }],
  ["positions", { positions: undefined }],
  ["partition", { positions: [{ partition: -1 }] }],
  ["nextOffset", { positions: [{ partition: 0, nextOffset: 5 }] }],
  ["twice", { positions: [{ partition: 0 }, { partition: 0 }] }],
  ["reset", { reset: "none" }],
  ["signal", { signal: {} }],
  ["start", { start: 5 }],
])("a wrong %s is refused before the log is asked (%o) (contract 6.9)", async (named, part) => {
  let asked = 0;
  const watched = (entries: readonly ListOffsetsEntry[]) => {
    asked += 1;
    return listOffsets(entries);
  };
  const given = { topic: "orders", positions: [{ partition: 0 }], listOffsets: watched, ...part } as WhereToReadOptions;
  await expect(whereToRead(given)).rejects.toThrow(named);
  expect(asked).toBe(0);
});

test("an aborted signal rejects with its reason; offsets that are numbers are named (contract 6.9)", async () => {
  const positions = [{ partition: 0 }];
  await expect(whereToRead({ ...options, positions, signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
  const numbers = (entries: readonly ListOffsetsEntry[]) => entries.map(({ partition }) => ({ partition, offset: 5 }));
  const wrong = { topic: "orders", positions, listOffsets: numbers as unknown as WhereToReadOptions["listOffsets"] };
  await expect(whereToRead(wrong)).rejects.toThrow(/must be a bigint, not number/u);
});

test("a policy hears why: start, or below or beyond the log (contract 6.1)", async () => {
  const reasons: string[] = [];
  const resetPolicy: OffsetResetPolicy = {
    name: "mine",
    timestamp: ({ reason }) => {
      reasons.push(reason);
      return -2;
    },
  };
  await whereToRead({ ...options, positions: [{ partition: 0 }, { partition: 1, nextOffset: 3n }], resetPolicy });
  expect(reasons).toEqual(["start", "below-log"]);
});
