import { randomUUID } from "node:crypto";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll } from "vitest";
import { testBadInput } from "./test-bad-input.ts";
import { testSessions } from "./test-sessions.ts";

await describeWithServer("minio", ({ s3, url }) => {
  if (s3 === undefined) throw new Error("MinIO was started without keys");
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  const bucket = `cli-${randomUUID()}`;
  // As everybody gives them who uses AWS: nothing secret is in the URL.
  const environment = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };

  beforeAll(async () => {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  afterAll(() => client.destroy());

  testSessions({
    url: `s3://${bucket}/positions?forcePathStyle=true`,
    environment,
    async corrupt({ key: { consumer, topic, partition }, namespace }) {
      const place = { Bucket: bucket, Key: `positions/${namespace}/${consumer}/${topic}/offsets.ndjson` };
      const { Body } = await client.send(new GetObjectCommand(place));
      const text = (await Body?.transformToString()) ?? "";
      const damaged = text.replace(new RegExp(`^(\\{"partition":${partition},.*"record":).*$`, "mu"), '$1"seven"}');
      if (damaged === text) throw new Error("there is no such record");
      await client.send(new PutObjectCommand({ ...place, Body: damaged }));
    },
  });

  const wrongSecret = { ...environment, AWS_SECRET_ACCESS_KEY: "secret-that-is-wrong" };
  testBadInput([
    {
      what: "a wrong secret key",
      url: `s3://${bucket}/positions?forcePathStyle=true`,
      environment: wrongSecret,
      code: 1,
      message: /^s3 store: open failed: the server answered 403 .* check the credentials/,
    },
    {
      what: "a bucket that is not there",
      url: `s3://not-there-${randomUUID()}/positions?forcePathStyle=true`,
      environment,
      code: 1,
      message: /^s3 store: open failed: bucket "not-there-[^"]+" does not exist; create it or check its name$/,
    },
    {
      what: "TLS on a server without",
      url: `s3://${bucket}?forcePathStyle=true&endpoint=${endpoint.replace("http:", "https:")}`,
      environment,
      code: 1,
      message: /^s3 store: open failed: no TLS connection could be made \(\w+\): check http or https/,
    },
    {
      what: "the endpoint in the bucket's place",
      url: `s3://user:secret@${new URL(url).host}/${bucket}`,
      environment,
      code: 2,
      message: /must not carry credentials: set AWS_ACCESS_KEY_ID/,
    },
  ]);
});
