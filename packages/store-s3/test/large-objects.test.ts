import { expect, it } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { makeEntry, parse, serialise } from "../src/offsets-document.ts";
import { claim, fetched, key, placeOn } from "./support/open-store.ts";

const PARTITIONS = 30_000;

it("builds and reads a large object in steps between which everybody else runs", async () => {
  const value = JSON.stringify({ v: 1, nextOffset: "42", metadata: "x".repeat(100) });
  const entries = new Map(
    Array.from({ length: PARTITIONS }, (_, partition) => {
      return [partition, makeEntry(partition, { version: "A", value, reclaimAfter: undefined }, { time: 1 })] as const;
    }),
  );
  const turnsOf = async <Result>(work: Promise<Result>): Promise<{ turns: number; result: Result }> => {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const result = await work;
    isOver = true;
    return { turns, result };
  };
  // Each takes some ten times as long as it may hold the event loop.
  const built = await turnsOf(serialise({ writes: [], entries }, 0));
  expect(built.turns).toBeGreaterThan(2);
  const text = built.result.body.toString();
  const read = await turnsOf(parse(text, 1, "key"));
  expect(read.turns).toBeGreaterThan(2);
  expect(read.result.entries.size).toBe(PARTITIONS);
}, 30_000);

await describeWithServer("minio", ({ s3 }) => {
  it("what would be too large to be read back is not written, and says so; the rest goes on", async () => {
    const place = await placeOn(s3);
    const store = await place.open({ timeout: 60_000 });
    const token = await claim(store);
    // Six bytes of JSON for each of metadata.
    const metadata = "\u0001".repeat(4_096);
    const keys = Array.from({ length: 2_800 }, (_, index) => ({ ...key, partition: index + 1 }));
    const outcomes = store.reset(keys.map((each) => ({ key: each, nextOffset: 1n, metadata })));
    const small = store.commit([{ key, token, nextOffset: 1n }]);
    await expect(outcomes).rejects.toMatchObject({ code: "UNSUPPORTED", retryable: false });
    await expect(outcomes).rejects.toThrow(/would have \d+ bytes.*commit less metadata/u);
    expect(await small).toEqual([{ status: "committed" }]);
    expect(await fetched(store)).toMatchObject({ nextOffset: 1n });
  }, 60_000);
});
