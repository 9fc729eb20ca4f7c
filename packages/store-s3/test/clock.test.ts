import { expect, it } from "vitest";
import { openS3Store } from "../src/index.ts";
import { describeWithServer } from "@tidemark/test-support/servers";
import { untilAnswered } from "@tidemark/test-support/stores";
import { claim, fetched, key, placeOn } from "./support/open-store.ts";
import { isWrite, once, type S3Proxy } from "./support/s3-proxy.ts";
import { temporaryClient } from "./support/s3-servers.ts";

/**
 * Moves the server's clock as the store sees it: all `Date` headers, and no `Last-Modified`. By less than a quarter of an
 * hour: the SDK signs by it, and the server knows better.
 */
function shiftDate(byMs: number): S3Proxy["intercept"] {
  return () => ({
    kind: "headers",
    change: ({ date }) => ({ date: new Date(Date.parse(date ?? "") + byMs).toUTCString() }),
  });
}

const HOUR_MS = 3_600_000;
const TEN_MINUTES_MS = 600_000;
const other = { ...key, partition: 1 };

await describeWithServer("minio", ({ s3 }) => {
  it("expires by the server's Date, never early, and lets nobody's clock in between", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    await claim(store, key, TEN_MINUTES_MS);
    const { expiresAt } = (await fetched(store)) ?? {};
    // As if that much time had gone by.
    place.proxy.intercept = shiftDate(TEN_MINUTES_MS - 30_000);
    expect(await fetched(store)).toMatchObject({ expiresAt });
    place.proxy.intercept = shiftDate(TEN_MINUTES_MS + 30_000);
    expect(await fetched(store)).toBeUndefined();
    expect(await Array.fromAsync(store.list())).toEqual([]);
  });

  it("goes by the earliest of several answers, whichever comes last", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const keys = ["t1", "t2"].map((topic) => ({ ...key, topic }));
    for (const each of keys) await claim(store, each, TEN_MINUTES_MS / 2);
    for (const { topic } of [...keys, ...keys]) {
      place.proxy.intercept = (request) =>
        request.path.includes(`/${topic}/`) ? shiftDate(TEN_MINUTES_MS)(request) : undefined;
      expect(await store.fetch(keys)).toMatchObject([{ status: "found" }, { status: "found" }]);
    }
  });

  it("partitions that a write merely carries along keep their own expiry and times", async () => {
    const place = await placeOn(s3);
    const [mine, theirs] = [await place.open(), await place.openDirect()];
    const token = await claim(mine, key, 1_000 * HOUR_MS);
    await claim(theirs, other, TEN_MINUTES_MS);
    const before = await fetched(mine, other);
    // Five minutes later, as far as this client can tell.
    place.proxy.intercept = shiftDate(TEN_MINUTES_MS / 2);
    for (let nextOffset = 1n; nextOffset <= 3n; nextOffset += 1n) {
      await mine.commit([{ key, token, nextOffset }]);
      expect(await fetched(mine, other)).toEqual(before);
    }
  });

  it("two processes with different partitions of one consumer lose none of each other's commits", async () => {
    const place = await placeOn(s3);
    const [mine, theirs] = [await place.open(), await place.openDirect()];
    const [token, otherToken] = [await claim(mine), await claim(theirs, other)];
    for (let nextOffset = 1n; nextOffset <= 20n; nextOffset += 1n) {
      expect(
        await Promise.all([
          mine.commit([{ key, token, nextOffset }]),
          theirs.commit([{ key: other, token: otherToken, nextOffset }]),
        ]),
      ).toEqual([[{ status: "committed" }], [{ status: "committed" }]]);
    }
    expect(await fetched(mine)).toMatchObject({ nextOffset: 20n });
    expect(await fetched(mine, other)).toMatchObject({ nextOffset: 20n });
  });

  it("what is renewed while the answer is on its way is not absent, although its time was over at the answer", async () => {
    const place = await placeOn(s3);
    const [store, holder] = [await place.open(), await place.openDirect()];
    const token = await claim(holder, key, TEN_MINUTES_MS);
    const { expiresAt } = (await fetched(holder)) ?? {};
    const renewal = async (): Promise<void> => {
      expect(await holder.commit([{ key, token, nextOffset: 1n, ttl: HOUR_MS }])).toEqual([
        { status: "committed", ttl: HOUR_MS },
      ]);
    };
    place.proxy.intercept = once(({ method }) => method === "GET", {
      kind: "headers",
      until: renewal,
      // The second in which it would have expired; what expires is looked at by the second before.
      change: () => ({ date: new Date(Number(expiresAt) + 1_000).toUTCString() }),
    });
    expect(await fetched(store)).toMatchObject({ nextOffset: 1n });
  });

  it("a claim tells the time that the object shows, however late its answer comes", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    // As if the answer had come seconds after the write.
    place.proxy.intercept = once(isWrite, {
      kind: "headers",
      change: ({ date }) => ({ date: new Date(Date.parse(date ?? "") + 5_000).toUTCString() }),
    });
    const token = await claim(store);
    const { claimedAt } = (await fetched(store)) ?? {};
    await store.commit([{ key, token, nextOffset: 1n }]);
    expect(await fetched(store)).toMatchObject({ claimedAt });
  });

  it("a time-out shorter than the clock's step makes no new record count as written late", async () => {
    const place = await placeOn(s3);
    const store = await untilAnswered(() => place.open({ timeout: 900 }));
    for (let partition = 0; partition < 5; partition += 1) {
      const each = { ...key, partition };
      const token = `t${partition}`;
      // A busy machine may take longer than that: the same again is what a caller does.
      await untilAnswered(() => store.claim([{ key: each, token, owner: "o" }]));
      const committed = await untilAnswered(() => store.commit([{ key: each, token, nextOffset: 1n }]));
      expect(committed).toEqual([{ status: "committed" }]);
    }
  });

  it("is refused at open by a server without a Date, and says so later too", async () => {
    const place = await placeOn(s3);
    const withoutDate: S3Proxy["intercept"] = () => ({ kind: "headers", change: () => ({ date: undefined }) });
    place.proxy.intercept = withoutDate;
    await expect(place.open()).rejects.toMatchObject({ code: "UNSUPPORTED", operation: "open" });
    await expect(place.open()).rejects.toThrow("no Date header");
    place.proxy.intercept = () => undefined;
    const store = await place.open();
    const token = await claim(store);
    place.proxy.intercept = withoutDate;
    await expect(store.fetch([key])).rejects.toMatchObject({ code: "UNSUPPORTED" });
    // Only the answer to the write lacks it: a look tells that it was written.
    place.proxy.intercept = once(isWrite, { kind: "headers", change: () => ({ date: undefined, etag: undefined }) });
    expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual([{ status: "committed" }]);
  });

  it("works on a machine whose clock is hours off: the first answer puts it right", async () => {
    const place = await placeOn(s3);
    const client = temporaryClient(place.direct, { systemClockOffset: 5 * HOUR_MS });
    const store = await openS3Store({ bucket: place.bucket, client });
    const token = await claim(store, key, HOUR_MS);
    expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual([{ status: "committed", ttl: HOUR_MS }]);
    const { claimedAt, committedAt, expiresAt } = (await fetched(store)) ?? {};
    for (const time of [claimedAt, committedAt]) expect(Math.abs(Number(time) - Date.now())).toBeLessThan(HOUR_MS / 2);
    expect(Number(expiresAt) - Number(committedAt)).toBe(HOUR_MS);
    await store.close();
  });
});
