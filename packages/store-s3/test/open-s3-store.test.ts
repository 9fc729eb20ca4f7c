import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { PutBucketPolicyCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { describe, expect, it, onTestFinished } from "vitest";
import { OffsetStoreError } from "@tidemark/core";
import { openS3Store, type S3StoreOptions } from "../src/index.ts";
import { describeWithServer } from "@tidemark/test-support/servers";
import { claim, fetched, key, placeOn } from "./support/open-store.ts";
import { temporaryClient } from "./support/s3-servers.ts";

const SECRET = "secretsecretsecret";

async function failure(opening: Promise<unknown>): Promise<OffsetStoreError> {
  const error: unknown = await opening.then(
    () => new Error("it should have failed"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OffsetStoreError)) throw error;
  expect(error).toMatchObject({ operation: "open", store: "s3" });
  expect(error.message).not.toContain(SECRET);
  expect(error.message).not.toMatch(/X-Amz|Signature=/u);
  return error;
}

describe("openS3Store", () => {
  it.each<[string, Partial<Record<keyof S3StoreOptions, unknown>>, typeof TypeError | typeof RangeError]>([
    ["no bucket", { bucket: undefined }, TypeError],
    ["an empty bucket", { bucket: "" }, TypeError],
    ["a bucket that is a URL", { bucket: "s3://b/positions" }, TypeError],
    ["a prefix that leads away", { prefix: "a/../b" }, TypeError],
    ["an empty namespace", { namespace: "" }, TypeError],
    ["a timeout of nothing", { timeout: 0 }, RangeError],
    ["an endpoint that is no URL", { endpoint: "localhost:9000" }, TypeError],
    ["an endpoint with a password", { endpoint: "http://a:b@127.0.0.1:9000" }, TypeError],
    ["an empty region", { region: "" }, TypeError],
    ["a forcePathStyle that is a word", { forcePathStyle: "true" }, TypeError],
    ["a client that is none", { client: {} }, TypeError],
    ["a client and an endpoint", { client: new S3Client({}), endpoint: "http://127.0.0.1:9000" }, TypeError],
  ])("refuses %s before any I/O", async (_, options, type) => {
    const opening = openS3Store({ bucket: "b", ...options } as S3StoreOptions);
    await expect(opening).rejects.toThrow(type);
  });

  it("a host name of the bucket's own that nobody knows says how to do without", async () => {
    const client = new S3Client({
      endpoint: "http://storage.invalid",
      region: "us-east-1",
      credentials: { accessKeyId: "a", secretAccessKey: SECRET },
      maxAttempts: 1,
    });
    onTestFinished(() => client.destroy());
    const { message } = await failure(openS3Store({ bucket: "b", client }));
    // What a resolver that is not there says is EAI_AGAIN.
    expect(message).toMatch(/ENOTFOUND.*forcePathStyle|EAI_AGAIN/u);
  });

  it("an unreachable host is UNAVAILABLE, one that never answers a TIMEOUT", async () => {
    const silent = createTcpServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: "a", secretAccessKey: SECRET },
    });
    onTestFinished(() => client.destroy());
    const timedOut = await failure(openS3Store({ bucket: "b", client, timeout: 300 }));
    expect(timedOut).toMatchObject({ code: "TIMEOUT", retryable: true });
    silent.close();
    client.destroy();
    const refused = await failure(openS3Store({ bucket: "b", client, timeout: 5_000 }));
    expect(refused).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    expect(refused.message).toContain("ECONNREFUSED");
  });
});

await describeWithServer("minio", ({ s3 }) => {
  if (s3 === undefined) throw new Error("no access");

  it.each([
    ["a wrong key", { accessKeyId: "nobody" }, "PERMISSION_DENIED", "InvalidAccessKeyId"],
    ["a wrong secret", { secretAccessKey: SECRET }, "PERMISSION_DENIED", "SignatureDoesNotMatch"],
    ["TLS where there is none", { endpoint: s3.endpoint.replace("http:", "https:") }, "UNAVAILABLE", "TLS"],
  ])("%s", async (_, change, code, text) => {
    const { bucket } = await placeOn(s3);
    const client = temporaryClient({ ...s3, ...change });
    const error = await failure(openS3Store({ bucket, client }));
    expect(error).toMatchObject({ code, retryable: false });
    expect(error.message).toContain(text);
  });

  it("no TLS where it is needed, and a certificate that nobody knows", async () => {
    const server = createTlsServer({}, (_, answer) => answer.end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    for (const scheme of ["http", "https"]) {
      const client = temporaryClient({ ...s3, endpoint: `${scheme}://127.0.0.1:${port}` });
      expect(await failure(openS3Store({ bucket: "b", client, timeout: 5_000 }))).toMatchObject({
        code: "UNAVAILABLE",
      });
    }
  });

  it("a missing bucket", async () => {
    const client = temporaryClient(s3);
    const error = await failure(openS3Store({ bucket: "tidemark-no-such-bucket", client }));
    expect(error).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    expect(error.message).toContain("does not exist");
  });

  it.each([
    [301, "PermanentRedirect", { "x-amz-bucket-region": "eu-west-3" }],
    [400, "AuthorizationHeaderMalformed", { "x-amz-bucket-region": "eu-west-3" }],
  ])("another region, as AWS says it with %i %s", async (status, code, headers) => {
    const place = await placeOn(s3);
    place.proxy.intercept = () => ({ kind: "refuse", status, code, headers });
    const error = await failure(place.open());
    expect(error).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    expect(error.message).toContain('"eu-west-3"');
  });

  it("a server that has no conditional writes, as Swift says it with 501", async () => {
    const place = await placeOn(s3);
    place.proxy.intercept = ({ method }) =>
      method === "PUT" ? { kind: "refuse", status: 501, code: "NotImplemented" } : undefined;
    expect(await failure(place.open())).toMatchObject({ code: "UNSUPPORTED", retryable: false });
  });

  it.each(["GET", "PUT", "DELETE"])("a denied %s shows when the store is opened", async (denied) => {
    const place = await placeOn(s3);
    place.proxy.intercept = ({ method }) =>
      method === denied ? { kind: "refuse", status: 403, code: "AccessDenied" } : undefined;
    const error = await failure(place.open());
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
    expect(error.message).toContain("s3:ListBucket");
  });

  it("any verb that is denied later is PERMISSION_DENIED, and names the key (contract 3.3e)", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    place.proxy.intercept = ({ method }) =>
      method === "PUT" || method === "LIST" ? { kind: "refuse", status: 403, code: "AccessDenied" } : undefined;
    const denied = { code: "PERMISSION_DENIED", retryable: false };
    await expect(store.commit([{ key, token, nextOffset: 1n }])).rejects.toMatchObject({ ...denied, keys: [key] });
    await expect(Array.fromAsync(store.list())).rejects.toMatchObject({ ...denied, operation: "list" });
    expect(await fetched(store)).toBeDefined();
  });

  describe("the actions that the README names", () => {
    const actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"];

    it.each<readonly [string, readonly string[]]>([
      ["all of them", actions],
      ...actions.map((left) => [`all but ${left}`, actions.filter((each) => each !== left)] as const),
    ])("%s", async (name, allowed) => {
      const place = await placeOn(s3);
      const policy = {
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { AWS: ["*"] },
            Action: allowed.filter((action) => action !== "s3:ListBucket"),
            Resource: [`arn:aws:s3:::${place.bucket}/p/*`],
          },
          ...(allowed.includes("s3:ListBucket")
            ? [
                {
                  Effect: "Allow",
                  Principal: { AWS: ["*"] },
                  Action: ["s3:ListBucket"],
                  Resource: [`arn:aws:s3:::${place.bucket}`],
                },
              ]
            : []),
        ],
      };
      await temporaryClient(s3).send(
        new PutBucketPolicyCommand({ Bucket: place.bucket, Policy: JSON.stringify(policy) }),
      );
      // Nobody in particular: only the policy says what may be done.
      const client = temporaryClient(s3, { signer: { sign: async (request) => request } });
      const opening = place.open({ client, prefix: "p" });
      if (name === "all but s3:ListBucket") {
        // AWS would call each missing object denied, so that it shows at open; MinIO only refuses to list.
        const store = await opening;
        await expect(Array.fromAsync(store.list())).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
        return;
      }
      if (name !== "all of them") {
        expect(await failure(opening)).toMatchObject({ code: "PERMISSION_DENIED" });
        return;
      }
      const store = await opening;
      const token = await claim(store);
      await store.commit([{ key, token, nextOffset: 1n }]);
      expect(await Array.fromAsync(store.list())).toHaveLength(1);
      await store.delete({ expired: true });
      expect(await store.delete({ consumer: "c1" })).toEqual([key]);
    });
  });

  it("the caller's client stays as it is, and open (contract 3.9d)", async () => {
    const place = await placeOn(s3);
    const client = temporaryClient(s3);
    const middleware = client.middlewareStack.identify();
    const store = await openS3Store({ bucket: place.bucket, client });
    await claim(store);
    await store.close();
    expect(client.middlewareStack.identify()).toEqual(middleware);
    await client.send(new PutObjectCommand({ Bucket: place.bucket, Key: "mine", Body: "x" }));
  });

  it("a commit inside a transaction is refused before anything is written, with what to do instead", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    place.proxy.requests.length = 0;
    const commit = store.commit([{ key, token, nextOffset: 1n }], { transaction: {} as never });
    await expect(commit).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(commit).rejects.toThrow("idempotent");
    expect(place.proxy.requests).toEqual([]);
  });
});
