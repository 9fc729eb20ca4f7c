import { expect, it, vi } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { claim, key, placeOn } from "./support/open-store.ts";
import { change, driverOn, never } from "./support/s3-driver.ts";
import { temporaryClient } from "./support/s3-servers.ts";

await describeWithServer("minio", ({ s3 }) => {
  it("opens with six requests, and leaves nothing behind", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const probe = /^(\w+) \/[\w-]+\/tidemark\/\.probe-[\w-]{16}$/u;
    expect(place.proxy.requests.map((request) => probe.exec(request)?.[1])).toEqual(
      // One more where DELETE obeys a condition, and one more where ETags must be without quotes.
      ["GET", "PUT", "PUT", "PUT", "PUT", "DELETE"],
    );
    expect(await Array.fromAsync(store.list())).toEqual([]);
  });

  it.each([1, 100, 10_000])("flushes %i partitions with one PUT and no GET", async (count) => {
    const place = await placeOn(s3);
    const store = await place.open({ prefix: "p" });
    const path = `/${place.bucket}/p/tidemark/c1/orders/offsets.ndjson`;
    const keys = Array.from({ length: count }, (_, partition) => ({ ...key, partition }));
    const token = crypto.randomUUID();
    place.proxy.requests.length = 0;
    await store.claim(keys.map((each) => ({ key: each, token, owner: "o", ttl: 60_000 })));
    // The last one for the time of the claim, which later writes carry along.
    expect(place.proxy.requests.splice(0)).toEqual([`GET ${path}`, `PUT ${path}`, `GET ${path}`]);
    for (let nextOffset = 1n; nextOffset <= 3n; nextOffset += 1n) {
      const outcomes = await store.commit(keys.map((each) => ({ key: each, token, nextOffset })));
      expect(outcomes.every(({ status }) => status === "committed")).toBe(true);
    }
    // Some of them, too.
    await store.commit(keys.slice(0, 3).map((each) => ({ key: each, token, nextOffset: 4n })));
    expect(place.proxy.requests.splice(0)).toEqual(Array.from({ length: 4 }, () => `PUT ${path}`));
    await store.fetch(keys);
    expect(place.proxy.requests.splice(0)).toEqual([`GET ${path}`]);
    // A refusal is never answered from memory.
    await store.claim(keys.map((each) => ({ key: each, token: crypto.randomUUID(), owner: "next" })));
    expect(place.proxy.requests.splice(0)).toEqual([`GET ${path}`, `PUT ${path}`, `GET ${path}`]);
    await store.commit(keys.map((each) => ({ key: each, token, nextOffset: 9n })));
    expect(place.proxy.requests.splice(0)).toEqual([`GET ${path}`]);
  });

  it("flushes with PUT, GET and PUT after another process has written the same object", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    await claim(await place.openDirect(), { ...key, partition: 1 });
    place.proxy.requests.length = 0;
    expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual([{ status: "committed" }]);
    expect(place.proxy.requests.map((request) => request.split(" ")[0])).toEqual(["PUT", "GET", "PUT"]);
  });

  it("looks again before it refuses a version that it does not know, and before it takes one that is gone", async () => {
    const place = await placeOn(s3);
    const [one, other] = [place.access, place.direct].map((at) => driverOn(temporaryClient(at), place.bucket));
    const mine = change(key);
    await one?.write([mine], { signal: never() });
    const theirs = change(key, { expected: [mine.version] });
    await other?.write([theirs], { signal: never() });
    const next = change(key, { expected: [theirs.version] });
    expect((await one?.write([next], { signal: never() }))?.changes).toBeUndefined();
    const late = change(key, { expected: [theirs.version] });
    expect((await other?.write([late], { signal: never() }))?.changes).toEqual(["conflict"]);
  });

  it("stores what is asked for at the same time with one PUT", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const tokens = await Promise.all([0, 1, 2, 3].map((partition) => claim(store, { ...key, partition })));
    place.proxy.requests.length = 0;
    const flush = (nextOffset: bigint) =>
      Promise.all(tokens.map((token, partition) => store.commit([{ key: { ...key, partition }, token, nextOffset }])));
    expect((await flush(1n)).flat()).toEqual(tokens.map(() => ({ status: "committed" })));
    expect(place.proxy.requests.map((request) => request.split(" ")[0])).toEqual(["PUT"]);
  });

  it("looks first where its own record may have expired", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store, key, 1);
    const claimedAt = performance.now();
    await vi.waitUntil(() => performance.now() - claimedAt > 2);
    place.proxy.requests.length = 0;
    await store.commit([{ key, token, nextOffset: 1n }]);
    expect(place.proxy.requests[0]).toMatch(/^GET /u);
  });

  it("lists a page of keys at a time and reads each object once; a consumer's topic without listing", async () => {
    const place = await placeOn(s3);
    const store = await place.open({ timeout: 300_000 });
    const consumers = Array.from({ length: 1_050 }, (_, index) => `c${index}`);
    const filler = await place.openDirect({ timeout: 300_000 });
    const keys = consumers.map((consumer) => ({ ...key, consumer }));
    await filler.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    place.proxy.requests.length = 0;
    const listed = await Array.fromAsync(store.list());
    expect(listed.map(({ consumer }) => consumer).toSorted()).toEqual(consumers.toSorted());
    const verbs = place.proxy.requests.splice(0).map((request) => request.split(" ")[0]);
    expect(verbs.filter((verb) => verb === "LIST")).toHaveLength(2);
    expect(verbs).toHaveLength(2 + consumers.length);
    await Array.fromAsync(store.list({ consumer: "c10" }));
    expect(place.proxy.requests.splice(0).map((request) => request.split(" ")[0])).toEqual(["LIST", "GET"]);
    expect(await Array.fromAsync(store.list({ consumer: "c10", topic: "orders" }))).toHaveLength(1);
    expect(place.proxy.requests.map((request) => request.split(" ")[0])).toEqual(["GET"]);
  });
});
