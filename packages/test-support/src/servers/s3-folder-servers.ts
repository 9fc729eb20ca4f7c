import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePorts } from "./free-port.ts";
import { ownServer, startNode } from "./own-server.ts";
import type { OwnServer } from "./server.ts";
import type { ServerProgram } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

/** The keys of every S3 server that the launcher starts: they are on the loopback, and their data is thrown away. */
export const TEST_S3_KEYS = { accessKeyId: "testaccesskey", secretAccessKey: "testsecretkey" } as const;

interface FolderServer {
  readonly name: "minio" | "versitygw";
  readonly label: string;
  /** Finds the version in what `--version` prints. */
  readonly version: RegExp;
  readonly args: (port: number, data: string) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What it answers with less than 500 once it serves. */
  readonly readyPath: string;
}

const minio: FolderServer = {
  name: "minio",
  label: "MinIO",
  version: /^minio version (?:RELEASE\.)?(\S+)/mu,
  args: (port, data) => ["server", "--quiet", "--address", `127.0.0.1:${port}`, data],
  env: {
    MINIO_ROOT_USER: TEST_S3_KEYS.accessKeyId,
    MINIO_ROOT_PASSWORD: TEST_S3_KEYS.secretAccessKey,
    MINIO_BROWSER: "off",
    MINIO_UPDATE: "off",
  },
  readyPath: "/minio/health/ready",
};

const versitygw: FolderServer = {
  name: "versitygw",
  label: "Versity gateway",
  version: /^(?:Version\s*:|versitygw version) *(\S+)/mu,
  args: (port, data) => ["--quiet", "--port", `127.0.0.1:${port}`, "posix", data],
  env: { ROOT_ACCESS_KEY: TEST_S3_KEYS.accessKeyId, ROOT_SECRET_KEY: TEST_S3_KEYS.secretAccessKey },
  readyPath: "/",
};

/** Starts MinIO on an empty folder. */
export function launchMinio(program: ServerProgram, scope: ServerScope): Promise<OwnServer> {
  return launch(minio, program, scope);
}

/** Starts the Versity gateway on an empty folder. */
export function launchVersityGateway(program: ServerProgram, scope: ServerScope): Promise<OwnServer> {
  return launch(versitygw, program, scope);
}

async function launch(server: FolderServer, program: ServerProgram, scope: ServerScope): Promise<OwnServer> {
  const { name, label, env, readyPath } = server;
  const data = join(scope.folder, "data");
  mkdirSync(data);
  const [port = 0] = await freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const args = server.args(port, join(program.inside(scope.folder), "data"));
  const node = await startNode("server", endpoint, async () => {
    const process = scope.start(name, program.command(scope.folder, args, env));
    await process.untilReady(label, () => answersHttp(`${endpoint}${readyPath}`));
    return process;
  });
  const version = `${label} ${await programVersion(program, scope, server.version)}`;
  const s3 = { endpoint, region: "us-east-1", ...TEST_S3_KEYS };
  return ownServer({ name, version, url: endpoint, urls: [endpoint], s3 }, scope, [node]);
}

/** Whether a server answers at all, other than that it is not ready. */
export async function answersHttp(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000), headers: { connection: "close" } });
  await response.arrayBuffer();
  return response.status < 500;
}

async function programVersion(program: ServerProgram, scope: ServerScope, pattern: RegExp): Promise<string> {
  const { command, args } = program.command(scope.folder, ["--version"]);
  const { stdout } = await promisify(execFile)(command, [...args]);
  return (
    pattern
      .exec(stdout)?.[1]
      ?.replace(/^v(?=\d)/u, "")
      .replace(/T.*Z$/u, "") ?? "of no known version"
  );
}
