import { randomUUID } from "node:crypto";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import {
  type MissingServer,
  type RunningServer,
  serversAreRequired,
  sharedServer,
} from "@tidemark/test-support/servers";
import { expect, test } from "vitest";
import { createWorkspace } from "../support/workspace.ts";

const [redis, mongo, minio] = await Promise.all([sharedServer("redis"), sharedServer("mongo"), sharedServer("minio")]);

/** A store at one end of a transfer. */
interface End {
  readonly name: string;
  readonly url: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Why it cannot be had. */
  readonly missing?: string;
}

const ends: readonly End[] = [
  { name: "sqlite", url: "sqlite:positions.db" },
  end("redis", redis, ({ url }) => ({ url })),
  end("mongo", mongo, ({ url }) => {
    const inDatabase = new URL(url);
    inDatabase.pathname = "/tidemark-cli";
    return { url: inDatabase.href };
  }),
  await bucketEnd(),
];

function end(
  name: string,
  server: RunningServer | MissingServer,
  use: (server: RunningServer) => Omit<End, "name">,
): End {
  return "missing" in server ? { name, url: "", missing: server.missing } : { name, ...use(server) };
}

async function bucketEnd(): Promise<End> {
  if ("missing" in minio) return { name: "s3", url: "", missing: minio.missing };
  const { s3 } = minio;
  if (s3 === undefined) throw new Error("MinIO was started without keys");
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const Bucket = `cli-${randomUUID()}`;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket }));
  client.destroy();
  return {
    name: "s3",
    url: `s3://${Bucket}/positions?forcePathStyle=true`,
    environment: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
  };
}

const positions = [
  { consumer: "c1", topic: "t", partition: 0, nextOffset: "0", metadata: "", ttl: null },
  {
    consumer: "c1",
    topic: "t",
    partition: 2_147_483_647,
    nextOffset: "9223372036854775807",
    metadata: "m",
    ttl: 3_600_001,
  },
  {
    consumer: "日本\n/..:%*{}\u0000",
    topic: '😀,"\r\n',
    partition: 1,
    nextOffset: "9007199254740993",
    metadata: '{"a":"\n\u2028é"}',
    ttl: null,
  },
  {
    consumer: "__proto__",
    topic: "constructor",
    partition: 3,
    nextOffset: "5",
    metadata: "x".repeat(4096),
    ttl: 86_400_000,
  },
  { consumer: "é", topic: "e\u0301", partition: 0, nextOffset: "1", metadata: "", ttl: null },
  { consumer: "e\u0301", topic: "é", partition: 0, nextOffset: "2", metadata: "", ttl: null },
  ...Array.from({ length: 300 }, (_, partition) => ({
    consumer: "many",
    topic: "t",
    partition,
    nextOffset: String(2n ** 53n + BigInt(partition)),
    metadata: String(partition),
    ttl: partition % 2 === 0 ? null : 3_600_000,
  })),
];
const lines = (documents: readonly unknown[]): string =>
  documents.map((document) => `${JSON.stringify(document)}\n`).join("");
// What JSON need not escape, U+2028 for one, is escaped for whoever looks at it: it is the same when it is read.
const sorted = (text: string): string[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.stringify(JSON.parse(line)))
    .sort();

const pairs = ends.flatMap((source, index) => ends.slice(index + 1).map((target) => ({ source, target })));

/** Where one of them is missing, the run says so once, at its end; in CI that is a failure. */
function requireEnds(pair: readonly End[], skip: (note: string) => never): void {
  const missing = pair.find((one) => one.missing !== undefined)?.missing;
  if (missing === undefined) return;
  if (serversAreRequired()) throw new Error(missing);
  skip(missing);
}

test.for(pairs.map(({ source, target }) => ({ from: source.name, to: target.name, source, target })))(
  "nothing is lost from $from to $to and back",
  async ({ source, target }, { skip }) => {
    requireEnds([source, target], skip);
    await using workspace = await createWorkspace({ ...source.environment, ...target.environment });
    const namespace = `transfer-${randomUUID()}`;
    const on = ({ url }: End, side: string): string[] => ["--store", url, "--namespace", `${namespace}-${side}`];
    const copy = async (from: string[], to: string[]): Promise<void> => {
      const exported = await workspace.run(["consumer", "export", ...from]);
      expect(exported).toMatchObject({
        code: 0,
        stderr: expect.stringContaining(`${positions.length} positions exported`) as unknown,
      });
      expect(sorted(exported.stdout)).toEqual(sorted(lines(positions)));
      const imported = await workspace.run(["consumer", "import", "--execute", ...to], { input: exported.stdout });
      expect(imported.stderr).toContain("positions written");
      expect(imported.code).toBe(0);
    };
    // What the target has already, with a TTL of its own, has none afterwards.
    const before = lines([{ ...positions[0], ttl: 7_200_000, metadata: "old" }]);
    for (const [place, input] of [
      [on(source, "source"), lines(positions)],
      [on(target, "target"), before],
      [on(source, "back"), before],
    ] as const) {
      expect(await workspace.run(["consumer", "import", "--execute", ...place], { input })).toMatchObject({
        code: 0,
      });
    }
    await copy(on(source, "source"), on(target, "target"));
    await copy(on(target, "target"), on(source, "back"));
    expect(sorted((await workspace.run(["consumer", "export", ...on(source, "back")])).stdout)).toEqual(
      sorted(lines(positions)),
    );
  },
);
