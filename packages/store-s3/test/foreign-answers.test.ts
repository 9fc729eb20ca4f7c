import { describe, expect, it } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { claim, fetched, key, placeOn } from "./support/open-store.ts";
import { S3Objects } from "../src/s3-objects.ts";
import { never } from "./support/s3-driver.ts";
import { temporaryClient } from "./support/s3-servers.ts";
import { type Fault, isWrite, once } from "./support/s3-proxy.ts";

/** What is answered in the place of S3: by an ingress without a backend, a gateway without a route, a portal. */
const FOREIGN: readonly (readonly [string, Fault])[] = [
  ["a 404 in plain text", page(404, "text/plain; charset=utf-8", "404 page not found\n")],
  ["a 404 that is a page", page(404, "text/html", "<html><body><h1>Not found</h1></body></html>")],
  ["a 404 that is JSON", page(404, "application/json", '{"message":"no Route matched with those values"}')],
  ["a 404 without a body", page(404, "", "")],
  ["a 404 of another kind of S3's", page(404, "application/xml", "<Error><Code>NoSuchUpload</Code></Error>")],
  ["a page that says 200", page(200, "text/html", "<html><body>Please sign in</body></html>")],
];

function page(status: number, type: string, text: string): Fault {
  return { kind: "page", status, type, text };
}

await describeWithServer("minio", ({ s3 }) => {
  describe.each(FOREIGN)("%s", (_, fault) => {
    it("is no answer about what is stored: every verb fails, and may be repeated (contract 3.3d)", async () => {
      const place = await placeOn(s3);
      const store = await place.open();
      const token = await claim(store);
      await store.commit([{ key, token, nextOffset: 1n }]);
      place.proxy.intercept = () => fault;
      const failure = { code: "UNAVAILABLE", retryable: true };
      await expect(store.commit([{ key, token, nextOffset: 2n }])).rejects.toMatchObject(failure);
      await expect(store.fetch([key])).rejects.toMatchObject(failure);
      await expect(store.claim([{ key, token: "t2", owner: "o" }])).rejects.toMatchObject(failure);
      await expect(store.delete({ keys: [key] })).rejects.toMatchObject(failure);
      await expect(store.delete({ consumer: key.consumer })).rejects.toMatchObject(failure);
      await expect(Array.fromAsync(store.list())).rejects.toMatchObject(failure);
      await expect(place.open()).rejects.toMatchObject(failure);
      await expect(store.fetch([key])).rejects.toThrow("not from S3");
      place.proxy.intercept = () => undefined;
      expect(await fetched(store)).toMatchObject({ nextOffset: 1n });
      expect(await store.commit([{ key, token, nextOffset: 2n }])).toEqual([{ status: "committed" }]);
    });

    it("is no answer to a write: what became of it is looked up", async () => {
      const place = await placeOn(s3);
      const store = await place.open();
      const token = await claim(store);
      place.proxy.intercept = once(isWrite, fault);
      expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual([{ status: "committed" }]);
      expect(await fetched(store)).toMatchObject({ nextOffset: 1n });
    });
  });

  it("a listing that breaks off between two pages is no complete one", async () => {
    const place = await placeOn(s3);
    const store = await place.open({ timeout: 300_000 });
    const filler = await place.openDirect({ timeout: 300_000 });
    const keys = Array.from({ length: 1_010 }, (_, index) => ({ ...key, consumer: `c${index}` }));
    await filler.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    place.proxy.intercept = ({ method, query }) =>
      method === "LIST" && query.has("continuation-token") ? page(200, "text/html", "<html></html>") : undefined;
    await expect(Array.fromAsync(store.list())).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});

for (const name of ["minio", "versitygw", "ceph"] as const) {
  await describeWithServer(name, ({ s3 }) => {
    it("an object that is not there is a miss to GET, and a condition that does not hold to PUT and DELETE", async () => {
      const place = await placeOn(s3);
      const objects = new S3Objects(
        temporaryClient(place.direct),
        place.bucket,
        name === "ceph" ? "unquoted" : "quoted",
      );
      const missing = { etag: "00000000000000000000000000000000" };
      expect(await objects.get("missing", never())).toMatchObject({ object: undefined });
      expect(await objects.put("missing", "x", missing, never())).toBeUndefined();
      // Where conditions of DELETE are ignored, nothing is there afterwards as before.
      expect(["removed", "refused"]).toContain(await objects.remove("missing", missing.etag, never()));
      expect(await objects.remove("missing", undefined, never())).toBe("removed");
      expect(await objects.get("missing", never())).toMatchObject({ object: undefined });
    });
  });
}
