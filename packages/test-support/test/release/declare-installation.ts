import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { type CommandResult, runCommand } from "../../src/packaging/run-command.ts";
import { publicPackages } from "../../src/packaging/workspace.ts";
import { requireServer, type RunningServer, type ServerName, sharedServer } from "../../src/servers/index.ts";
import { undeclaredImports } from "../../src/release/undeclared-imports.ts";
import { copyProgram, createUserProject, type PackageManager, typeCheck, type UserProject } from "./user-project.ts";

const packages = publicPackages();
const STORES = ["memory", "sqlite", "postgres", "redis", "mongo", "s3"];
const NODES = ["22", "24", "26"];
/** How a program is written, and what Node runs of it. */
const MODULES = [
  { written: "consume.mts", built: "consume.mjs", way: "imported" },
  { written: "consume.cts", built: "consume.cjs", way: "required" },
];

/** What the drivers' own packages are installed as beside ours: what the READMEs say. */
const BESIDE = ["pg@8", "redis@6", "mongodb@7", "@aws-sdk/client-s3@3", "@types/node@24", "fast-check@4"];

/** Declares what a user sees who installs the next release with a package manager in an empty project. */
export function declareInstallation(manager: PackageManager): void {
  const { scratch, npmrc, nodes, published } = inject("firstRelease");
  const folder = join(scratch, `with-${manager}`);
  let project: UserProject;
  let installation: CommandResult;
  let bucket: Places["s3"] & { readonly accessKeyId: string; readonly secretAccessKey: string };
  let places: Omit<Places, "folder">;

  beforeAll(async () => {
    const [postgres, redis, mongo, minio] = await Promise.all([
      server("postgres"),
      server("redis"),
      server("mongo"),
      server("minio"),
    ]);
    if (minio.s3 === undefined) throw new Error("the shared MinIO does not say how it is spoken to");
    bucket = { ...minio.s3, bucket: `rehearsal-with-${manager}` };
    const { accessKeyId, secretAccessKey, ...s3 } = bucket;
    const client = new S3Client({ ...s3, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
    await client.send(new CreateBucketCommand({ Bucket: s3.bucket }));
    client.destroy();
    places = { postgres: postgres.url, redis: redis.url, mongo: mongo.url, s3 };
    project = await createUserProject(folder, { manager, npmrc });
    installation = await project.install(...packages.map(({ manifest }) => manifest.name ?? ""), ...BESIDE);
  });

  it("installs the newest of every package, and none complains of another", async () => {
    expect(installation.code, installation.output).toBe(0);
    expect(installation.output).not.toMatch(/peer|deprecated|ERESOLVE/i);
    const installed = await Promise.all(
      packages.map(async ({ folderName, manifest }) => {
        const text = await readFile(join(folder, "node_modules", manifest.name ?? "", "package.json"), "utf8");
        return `${folderName}-${(JSON.parse(text) as { version: string }).version}`;
      }),
    );
    expect(installed).toEqual(published);
  });

  it.each(packages)("@tidemark/$folderName asks for all that it imports", ({ manifest }) => {
    expect(undeclaredImports(join(folder, "node_modules", manifest.name ?? ""))).toEqual([]);
  });

  it("type checks under nodenext, as an ES module and as CommonJS", async () => {
    for (const { written } of MODULES) await copyProgram("consume.ts", join(folder, written));
    const options = { module: "nodenext", moduleResolution: "nodenext" };
    const checked = await typeCheck(
      project,
      MODULES.map(({ written }) => written),
      options,
    );
    expect(checked).toEqual({ code: 0, output: "" });
  });

  it("type checks under a bundler's resolution", async () => {
    const options = { module: "preserve", moduleResolution: "bundler", noEmit: true };
    expect(await typeCheck(project, ["consume.mts"], options)).toEqual({ code: 0, output: "" });
  });

  describe.each(NODES)("on Node %s", (major) => {
    const node = nodes[major] ?? "";

    it("is that Node", async () => {
      expect((await runCommand(node, ["--version"], { cwd: folder })).output).toMatch(new RegExp(`^v${major}\\.`));
    });

    describe.each(MODULES)("$way", ({ built }) => {
      let ended: CommandResult;

      beforeAll(async () => {
        const own = join(folder, `${major}-${built}`);
        await mkdir(own);
        const { accessKeyId, secretAccessKey } = bucket;
        ended = await runCommand(node, [built, JSON.stringify({ ...places, folder: own })], {
          cwd: folder,
          env: { PATH: process.env["PATH"], AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
        });
      });

      function printed(): readonly Record<string, unknown>[] {
        expect(ended.code, ended.output).toBe(0);
        const lines = ended.output.split("\n").filter((line) => line.startsWith("{"));
        return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      }

      it.each(STORES)("a consumer goes on where it was in the store %s", (store) => {
        const seen = printed().find((line) => line["store"] === store);
        expect(seen).toEqual({ store, first: ["one", "two"], second: ["three"], nextOffset: "3" });
      });

      it("loads what needs no server of its own", () => {
        expect(printed().at(-1)).toEqual({
          loaded: ["OffsetStoreError", "createOffsetStore", "openKafkaLog"],
          cases: true,
        });
      });
    });

    it("has the command", async () => {
      const run = (command: string): Promise<CommandResult> =>
        project.run("bash", ["-c", command.replaceAll("tidemark ", `${START[manager]} tidemark `)], node);
      const store = `--store ${places.redis} --log local:command-${major}.db`;
      const topic = `t${major}-${manager}`;
      const produced = await run(
        `tidemark topic create ${topic} ${store} && printf 'one\\ntwo\\n' | tidemark produce ${topic} ${store}`,
      );
      expect(produced.code, produced.output).toBe(0);
      const consumed = await run(`tidemark consume ${topic} -c c --until-end ${store}`);
      expect(consumed.output.split("\n")).toEqual(expect.arrayContaining(["one", "two"]));
      const listed = await run(`tidemark consumer list --partitions -O json ${store}`);
      expect(listed.output).toMatch(new RegExp(`"topic": ?"${topic}"[^}]*"nextOffset": ?"2"`, "s"));
    });
  });
}

/** How a command of an installed package is started. */
const START = { npm: "npx", pnpm: "pnpm exec" };

/** Where the servers are, and where to put files. */
interface Places {
  readonly folder: string;
  readonly postgres: string;
  readonly redis: string;
  readonly mongo: string;
  readonly s3: { readonly bucket: string; readonly endpoint: string; readonly region: string };
}

async function server(name: ServerName): Promise<RunningServer> {
  const found = await sharedServer(name);
  requireServer(found);
  return found;
}
