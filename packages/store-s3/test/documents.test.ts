import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { OffsetStoreError, type OffsetKey, type OffsetStore } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { claim, fetched, key, type Place, placeOn } from "./support/open-store.ts";
import { temporaryClient } from "./support/s3-servers.ts";

const OBJECT = "tidemark/c1/orders/offsets.ndjson";
const HEADER = '{"format":"tidemark-offsets","version":1}';
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
  it("is a line for each partition that people and their tools can read", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    await claim(store, other, 60_000);
    await store.commit([{ key, token, nextOffset: 42n, metadata: "a\nb" }]);
    const lines = ((await read(place)) ?? "").trimEnd().split("\n");
    const [header, ...entries] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const version = expect.stringMatching(/^[\w-]{12}$/u) as string;
    expect(header).toEqual({ format: "tidemark-offsets", version: 1, writes: [version, version, version] });
    expect(entries).toEqual([
      { partition: 0, version, record: expect.objectContaining({ nextOffset: "42", metadata: "a\nb" }) as unknown },
      {
        partition: 1,
        version,
        // That of the last write is the object's own.
        writtenAt: expect.any(Number) as number,
        reclaimAfter: 60_000,
        record: expect.objectContaining({ ttl: 60_000 }) as unknown,
      },
    ]);
  });

  it.each([
    ["another record", (line: string) => line.replace(/"record":.*/u, '"record":{"v":1,"nextOffset":"x"}}')],
    ["half a line", (line: string) => line.slice(0, line.length / 2)],
    ["a version that is none", (line: string) => line.replace(/"version":"[^"]*"/u, '"version":7')],
    ["a record that is a number", (line: string) => line.replace(/"record":.*/u, '"record":7}')],
  ])("one damaged partition fails alone, and is carried along as it is: %s", async (_, damage) => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    await claim(store, other);
    const lines = ((await read(place)) ?? "").split("\n");
    const damaged = damage(lines.find((line) => line.startsWith('{"partition":1,')) ?? "");
    // Whoever writes by hand changes the version too (contract 3.3a).
    const edited = damaged.replace(/"version":"[^"]*"/u, '"version":"by-hand"');
    await write(place, lines.map((line) => (line.startsWith('{"partition":1,') ? edited : line)).join("\n"));
    expect(
      await store.commit([
        { key, token, nextOffset: 1n },
        { key: other, token, nextOffset: 1n, recreate: true, owner: "o" },
      ]),
    ).toMatchObject([{ status: "committed" }, { status: "failed", error: { code: "CORRUPT_RECORD", keys: [other] } }]);
    expect(await store.reset([{ key: other, nextOffset: 1n }])).toMatchObject([{ status: "failed" }]);
    expect(await store.expire([{ key: other, ttl: 1 }])).toMatchObject([{ status: "failed" }]);
    expect(await store.delete({ expired: true })).toEqual([]);
    const after = ((await read(place)) ?? "").split("\n").find((line) => line.startsWith('{"partition":1,'));
    expect(withoutTime(after)).toBe(withoutTime(edited));
    expect(await fetched(store)).toMatchObject({ nextOffset: 1n });
    expect(await listFailure(store)).toMatchObject({ keys: [other] });
    expect(await store.delete({ keys: [other] })).toEqual([other]);
    expect(await fetched(store, other)).toBeUndefined();
    expect(await store.commit([{ key, token, nextOffset: 2n }])).toEqual([{ status: "committed" }]);
  });

  describe.each([
    ["text", "hello"],
    ["nothing", ""],
    ["other JSON", "[1]"],
    ["a document of something else", '{"version":1}\n{"partition":0}\n'],
    ["a line that is about nothing", `${HEADER}\n{"topic":"orders"}\n`],
    ["a partition that is none", `${HEADER}\n{"partition":4294967296,"version":"A","record":{}}\n`],
  ])("%s in the place of a document", (_, body) => {
    it("is CORRUPT_RECORD, never overwritten, and can be deleted by key or by consumer", async () => {
      const place = await placeOn(s3);
      const store = await place.open();
      for (const selector of [{ keys: [key] }, { consumer: key.consumer }]) {
        await write(place, body);
        for (const outcomes of [
          await store.claim([{ key, token: "t", owner: "o" }]),
          await store.commit([{ key, token: "t", owner: "o", nextOffset: 1n, recreate: true }]),
          await store.fetch([key]),
          await store.reset([{ key, nextOffset: 1n }]),
          await store.expire([{ key, ttl: 1 }]),
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
    const body = '{"format":"tidemark-offsets","version":2}\n{"of":"somebody else"}\n';
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
      "tidemarkx/c/t/offsets.ndjson",
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
    const seen = new Set<string | undefined>();
    for (let round = 0; round < 4; round += 1) {
      await claim(store);
      seen.add(await read(place));
      await store.delete({ keys: [key] });
      seen.add(await read(place));
    }
    expect(seen.size).toBe(8);
  });

  it("an object larger than any that is written is not read, and can be deleted", async () => {
    const place = await placeOn(s3);
    const store = await place.open({ timeout: 30_000 });
    await write(place, "x".repeat(64 * 1024 * 1024 + 1));
    expect(await store.fetch([key])).toMatchObject([{ status: "failed", error: { code: "CORRUPT_RECORD" } }]);
    expect(await store.delete({ keys: [key] })).toEqual([key]);
    expect(await fetched(store)).toBeUndefined();
  });
});

/** A line without the time that an earlier write has got. */
function withoutTime(line: string | undefined): string | undefined {
  return line?.replace(/"writtenAt":\d+,/u, "");
}

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
