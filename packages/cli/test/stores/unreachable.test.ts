import { afterAll } from "vitest";
import { startSilentServer, testBadInput } from "./test-bad-input.ts";

/** Nobody listens there, nor will while the test runs. */
const closed = "127.0.0.1:1";
/** Where names are looked up on a network that loses the question, the answer is there before a client gives up. */
const quickLookup = { RES_OPTIONS: "timeout:1 attempts:1" };
const silentServer = await startSilentServer();
afterAll(() => silentServer[Symbol.asyncDispose]());
const silent = `127.0.0.1:${silentServer.port}`;

const keys = { AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: "secret-one", AWS_REGION: "us-east-1" };

testBadInput([
  {
    what: "redis: nobody listens",
    url: `redis://user:secret-one@${closed}`,
    code: 1,
    message: /^redis store: open failed: .*ECONNREFUSED/,
  },
  {
    what: "redis: no answer",
    url: `redis://user:secret-one@${silent}`,
    code: 1,
    message: /^redis store: open failed: /,
  },
  {
    what: "redis: no such host",
    url: "redis://user:secret-one@no-such-host.invalid",
    environment: quickLookup,
    code: 1,
    message: /^redis store: open failed: .*(ENOTFOUND|EAI_AGAIN)/,
  },
  { what: "redis: no host", url: "redis://", code: 2, message: /names no host: write redis/ },
  {
    what: "redis: no port",
    url: "redis://user:secret-one@host:port",
    code: 2,
    message: /cannot be parsed: write redis/,
  },
  {
    what: "mongodb: nobody listens",
    url: `mongodb://user:secret-one@${closed}/db`,
    code: 1,
    message: /^mongo store: open failed: .*ECONNREFUSED/,
  },
  {
    what: "mongodb: no answer",
    url: `mongodb://user:secret-one@${silent}/db`,
    code: 1,
    message: /^mongo store: open failed: /,
  },
  {
    what: "mongodb: no such host",
    url: "mongodb://user:secret-one@no-such-host.invalid/db",
    environment: quickLookup,
    code: 1,
    message: /^mongo store: open failed: .*(ENOTFOUND|EAI_AGAIN)/,
  },
  { what: "mongodb: no host", url: "mongodb://", code: 2, message: /mongodb:\/\/HOST/ },
  {
    what: "mongodb: an unknown option",
    url: "mongodb://user:secret-one@host/db?nonsense=1",
    code: 2,
    message: /nonsense/,
  },
  {
    what: "s3: nobody listens",
    url: `s3://bucket/prefix?endpoint=http://${closed}`,
    environment: keys,
    code: 1,
    message: /^s3 store: open failed: bucket "bucket" cannot be reached \(ECONNREFUSED [^)]+\); check that it runs/,
  },
  {
    what: "s3: no answer",
    url: `s3://bucket/prefix?endpoint=http://${silent}`,
    environment: keys,
    code: 1,
    message: /^s3 store: open failed: no answer for bucket "bucket" within 10000 ms/,
  },
  {
    what: "s3: no such host",
    url: "s3://bucket/prefix?endpoint=http://no-such-host.invalid&forcePathStyle=true",
    environment: { ...keys, ...quickLookup },
    code: 1,
    message: /^s3 store: open failed: .*(ENOTFOUND|EAI_AGAIN)/,
  },
  { what: "s3: no bucket", url: "s3://", code: 2, message: /names no bucket: write s3:\/\/BUCKET\/PREFIX/ },
  {
    what: "s3: credentials in the URL",
    url: "s3://user:secret@bucket",
    code: 2,
    message: /must not carry credentials: set AWS_ACCESS_KEY_ID/,
  },
]);
