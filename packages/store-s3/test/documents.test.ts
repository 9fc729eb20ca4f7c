import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { OffsetStoreError, type OffsetKey, type OffsetStore } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { claim, fetched, key, type Place, placeOn } from "./support/open-store.ts";
import { temporaryClient } from "./support/s3-servers.ts";

const OBJECT = "tidemark/c1/orders/offsets.json";
const other: OffsetKey = { ...key, partition: 1 };

async function read(place: Place, name = OBJECT): Promise<string | undefined> {
  const { Body: body } = await temporaryClient(place.direct).send(
    new GetObjectCommand({ Bucket: place.bucket, Key: name }),
  );
  return body?.transformToString();
}

async function write(place: Place, body: string, name = OBJECT): Promise<void> {
  const object = { Bucket: place.bucket, Key: name, Body: body, ContentLength: Buffer.byteLength(body) };
  await temporaryClient(place.direct).send(new PutObjectCommand(object));
}

async function objectsIn(place: Place): Promise<string[]> {
  const { Contents: contents = [] } = await temporaryClient(place.direct).send(
    new ListObjectsV2Command({ Bucket: place.bucket }),
  );
  return contents.map(({ Key: name = "" }) => name);
}

async function listFailure(store: OffsetStore): Promise<OffsetStoreError> {
  const error: unknown = await Array.fromAsync(store.list()).catch((thrown: unknown) => thrown);
  if (!(error instanceof OffsetStoreError)) throw new Error("the listing should have failed");
  return error;
}

await describeWithServer("minio", ({ s3 }) => {
  it("one damaged partition fails alone, and is carried along as it is", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    await claim(store, other);
    const document = JSON.parse((await read(place)) ?? "") as { partitions: Record<string, unknown> };
    const damaged = { nextOffset: "x", of: ["somebody", { else: null }] };
    document.partitions["1"] = damaged;
    await write(place, JSON.stringify(document));
    expect(
      await store.commit([
        { key, token, nextOffset: 1n },
        { key: other, token, nextOffset: 1n, recreate: true },
      ]),
    ).toMatchObject([{ status: "committed" }, { status: "failed", error: { code: "CORRUPT_RECORD", keys: [other] } }]);
    expect(await store.reset([{ key: other, nextOffset: 1n }])).toMatchObject([{ status: "failed" }]);
    expect(await store.expire([{ key: other, ttl: 1 }])).toMatchObject([{ status: "failed" }]);
    const after = JSON.parse((await read(place)) ?? "") as typeof document;
    expect(after.partitions["1"]).toEqual(damaged);
    expect(await fetched(store)).toMatchObject({ nextOffset: 1n });
    expect(await listFailure(store)).toMatchObject({
      keys: [other],
      cause: { message: expect.stringContaining(JSON.stringify(OBJECT)) },
    });
    expect(await store.delete({ keys: [other] })).toEqual([other]);
    expect(await fetched(store, other)).toBeUndefined();
    expect(await store.commit([{ key, token, nextOffset: 2n }])).toEqual([{ status: "committed" }]);
  });

  describe.each([
    ["text", "hello"],
    ["nothing", ""],
    ["other JSON", "[1]"],
    ["a document of something else", '{"version":1,"partitions":{}}'],
    ["a document without its parts", '{"format":"tidemark-offsets","version":1}'],
    [
      "names that are no partitions",
      '{"format":"tidemark-offsets","version":1,"writes":[],"partitions":{"__proto__":{}}}',
    ],
  ])("%s in the place of a document", (_, body) => {
    it("is CORRUPT_RECORD, never overwritten, and can be deleted by key or by consumer", async () => {
      const place = await placeOn(s3);
      const store = await place.open();
      for (const selector of [{ keys: [key] }, { consumer: key.consumer }]) {
        await write(place, body);
        const entry = { key, token: "t", owner: "o", nextOffset: 1n, recreate: true, ttl: 1 };
        for (const outcomes of [
          await store.claim([entry]),
          await store.commit([entry]),
          await store.fetch([key]),
          await store.reset([entry]),
          await store.expire([entry]),
        ]) {
          expect(outcomes).toMatchObject([{ status: "failed", error: { code: "CORRUPT_RECORD", keys: [key] } }]);
          expect(outcomes[0]).toMatchObject({ error: { message: expect.stringContaining(OBJECT) as string } });
        }
        expect(await store.delete({ expired: true })).toEqual([]);
        expect(await read(place)).toBe(body);
        expect(await listFailure(store)).toMatchObject({ code: "CORRUPT_RECORD", keys: [key] });
        await store.delete(selector);
        expect(await fetched(store)).toBeUndefined();
        expect(await Array.fromAsync(store.list())).toEqual([]);
      }
    });
  });

  it("a document of a later release is left alone, whatever is asked (contract 3.20)", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const body = '{"format":"tidemark-offsets","version":2,"partitions":{}}';
    await write(place, body);
    expect(await store.fetch([key])).toMatchObject([{ error: { code: "UNSUPPORTED" } }]);
    expect(await store.reset([{ key, nextOffset: 1n }])).toMatchObject([{ error: { code: "UNSUPPORTED" } }]);
    await expect(store.delete({ keys: [key] })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(store.delete({ consumer: "c1" })).rejects.toThrow("upgrade");
    expect(await read(place)).toBe(body);
  });

  it("objects under other names, of a killed probe for example, disturb nobody", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    await claim(store);
    for (const name of [
      "tidemark/.probe-AAAAAAAAAAAAAAAA",
      "tidemark/README",
      "tidemark/c1/orders/x",
      "tidemarkx/c/t/offsets.json",
    ]) {
      await write(place, "{}", name);
    }
    expect(await Array.fromAsync(store.list())).toHaveLength(1);
    expect(await store.delete({ expired: true })).toEqual([]);
    expect(await store.delete({ consumer: "c1" })).toEqual([key]);
  });

  it("each write makes a body of its own, so that no ETag ever comes again", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    const seen = new Set<string | undefined>();
    for (let round = 0; round < 12; round += 1) {
      await store.commit([{ key, token, nextOffset: 1n }]);
      seen.add(await read(place));
    }
    expect(seen.size).toBe(12);
    const { writes } = JSON.parse((await read(place)) ?? "") as { writes: string[] };
    expect(writes).toHaveLength(8);
  });
});

for (const [name, removes] of [
  ["minio", false],
  ["versitygw", true],
  ["ceph", false],
] as const) {
  await describeWithServer(name, ({ s3 }) => {
    it(`an empty object stays for an hour; then a sweep ${removes ? "removes it" : "leaves it where DELETE is unconditional"}`, async () => {
      const place = await placeOn(s3);
      const store = await place.open();
      const token = await claim(store);
      expect(await store.delete({ keys: [key] })).toEqual([key]);
      expect(await Array.fromAsync(store.list())).toEqual([]);
      expect(await store.delete({ expired: true })).toEqual([]);
      expect(await objectsIn(place)).toEqual([OBJECT]);
      // As if it had been written two hours ago.
      place.proxy.intercept = () => ({
        kind: "headers",
        change: (headers) => ({
          "last-modified": new Date(Date.parse(headers["last-modified"] ?? "") - 7_200_000).toUTCString(),
        }),
      });
      expect(await store.delete({ expired: true })).toEqual([]);
      expect(await objectsIn(place)).toEqual(removes ? [] : [OBJECT]);
      place.proxy.intercept = () => undefined;
      expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual([{ status: "fenced", reason: "absent" }]);
      const next = await claim(store);
      expect(await store.commit([{ key, token: next, nextOffset: 1n }])).toEqual([{ status: "committed" }]);
    });
  });
}
