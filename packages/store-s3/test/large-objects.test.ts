import { expect, it } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { makeEntry, parse, serialise } from "../src/offsets-document.ts";
import { claim, fetched, key, placeOn } from "./support/open-store.ts";
import { change, driverOn, never, readOne } from "./support/s3-driver.ts";
import { temporaryClient } from "./support/s3-servers.ts";

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
});

await describeWithServer("minio", ({ s3 }) => {
  it("what would be too large to be read back is not written, and says so", async () => {
    const place = await placeOn(s3);
    const store = await place.open({ timeout: 60_000 });
    const token = await claim(store);
    // Six bytes of JSON for each of metadata.
    const metadata = "\u0001".repeat(4_096);
    const keys = Array.from({ length: 2_800 }, (_, index) => ({ ...key, partition: index + 1 }));
    const resetting = store.reset(keys.map((each) => ({ key: each, nextOffset: 1n, metadata })));
    await expect(resetting).rejects.toMatchObject({ code: "UNSUPPORTED", retryable: false });
    await expect(resetting).rejects.toThrow(/would have \d+ bytes.*commit less metadata/u);
    expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual([{ status: "committed" }]);
    expect(await fetched(store)).toMatchObject({ nextOffset: 1n });
    expect(await fetched(store, keys[0])).toBeUndefined();
  });

  it("of several calls that are stored together, the one that is too large fails alone", async () => {
    const place = await placeOn(s3);
    const driver = driverOn(temporaryClient(place.direct), place.bucket);
    const large = change({ ...key, partition: 1 }, { value: "x".repeat(64 * 1024 * 1024) });
    const small = change(key);
    const [tooMuch, enough] = await Promise.allSettled(
      [large, small].map((each) => driver.write([each], { signal: never() })),
    );
    expect(tooMuch).toMatchObject({ status: "rejected", reason: { name: "ObjectTooLargeError" } });
    expect(enough).toMatchObject({ status: "fulfilled" });
    expect(await readOne(driver, key)).toMatchObject({ version: small.version });
  });

  it("of several calls that are stored together, one that is given up meanwhile is left out", async () => {
    const place = await placeOn(s3);
    const driver = driverOn(temporaryClient(place.direct), place.bucket);
    const many = Array.from({ length: PARTITIONS }, (_, partition) => change({ ...key, partition: partition + 1 }));
    await driver.write([change({ ...key, partition: 1 })], { signal: never() });
    const ended = new AbortController();
    const writing = driver.write(many, { signal: never() });
    const givenUp = driver.write([change(key)], { signal: ended.signal });
    // The others take longer to build than one turn of the loop.
    setImmediate(() => ended.abort(new Error("given up")));
    await expect(givenUp).rejects.toThrow("given up");
    expect(await writing).toMatchObject({ changes: undefined });
    expect(await readOne(driver, key)).toBeUndefined();
    expect(await readOne(driver, { ...key, partition: PARTITIONS })).toBeDefined();
  });
});
