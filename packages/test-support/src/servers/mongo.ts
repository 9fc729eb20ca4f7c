import { MongoClient } from "mongodb";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { freePorts } from "./free-port.ts";
import { ownServer, startNode, type StartedNode } from "./own-server.ts";
import type { OwnServer } from "./server.ts";
import { ServerStartError } from "./server-process.ts";
import { debianProgram, debianUser, type ServerProgram } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

const POSTGRESQL = "/usr/lib/postgresql/18/bin";

/** Starts FerretDB over the DocumentDB engine in PostgreSQL. The nodes are the engine and the gateway. */
export async function launchFerretDb(
  ferretDb: ServerProgram,
  debianRoot: string,
  scope: ServerScope,
): Promise<OwnServer> {
  const [port = 0, enginePort = 0] = await freePorts(2);
  const engine = await startEngine(debianRoot, enginePort, scope);
  const engineVersion = await makeExtension(engine.url);
  const url = `mongodb://127.0.0.1:${port}`;
  const state = join(scope.folder, "ferretdb");
  mkdirSync(state);
  const gateway = await startNode("server", url, async () => {
    const process = scope.start(
      "ferretdb",
      ferretDb.command(scope.folder, [
        `--listen-addr=127.0.0.1:${port}`,
        `--postgresql-url=${engine.url}`,
        ...["--no-auth", "--telemetry=disable", "--debug-addr=-", `--state-dir=${state}`],
      ]),
    );
    await process.untilReady("FerretDB", async () => (await mongoVersion(url)) !== "");
    return process;
  });
  const version = `${await mongoVersion(url)} on DocumentDB ${engineVersion}`;
  return ownServer({ name: "mongo", version, url, urls: [url], engineUrl: engine.url }, scope, [engine, gateway]);
}

/** Starts one `mongod` as a replica set of itself: with transactions. */
export async function launchMongod(mongod: ServerProgram, scope: ServerScope): Promise<OwnServer> {
  const [port = 0] = await freePorts(1);
  const direct = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  const data = join(scope.folder, "data");
  mkdirSync(data);
  const start = async () => {
    const args = ["--replSet", "rs0", "--port", String(port), "--bind_ip", "127.0.0.1"];
    const path = join(mongod.inside(scope.folder), "data");
    const process = scope.start("mongod", mongod.command(scope.folder, [...args, "--dbpath", path]));
    await process.untilReady("mongod", async () => (await mongoVersion(direct)) !== "");
    return process;
  };
  const url = `mongodb://127.0.0.1:${port}/?replicaSet=rs0`;
  const node = await startNode("server", url, start);
  const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
  await askMongo(direct, { replSetInitiate: { _id: "rs0", members } });
  const untilPrimary = () =>
    node.process.untilReady(
      "the replica set",
      async () => (await askMongo(direct, { hello: 1 }))["isWritablePrimary"] === true,
    );
  await untilPrimary();
  const version = `${await mongoVersion(direct)}, replica set of one`;
  return ownServer({ name: "mongo", version, url, urls: [url] }, scope, [node], untilPrimary);
}

/** The name and version of what speaks MongoDB's protocol, as the tables print them: `MongoDB 8.0.4`, `FerretDB 2.7.0`. */
export async function mongoVersion(url: string): Promise<string> {
  const information = await askMongo(url, { buildInfo: 1 });
  const ferretDb: unknown = information["ferretdb"];
  if (typeof ferretDb !== "object" || ferretDb === null) return `MongoDB ${String(information["version"])}`;
  const version = "version" in ferretDb ? String(ferretDb.version) : "of no known version";
  return `FerretDB ${version.replace(/^v/u, "")}`;
}

async function askMongo(url: string, command: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2_000, connectTimeoutMS: 2_000 });
  try {
    return await client.db("admin").command(command);
  } finally {
    await client.close();
  }
}

async function startEngine(root: string, port: number, scope: ServerScope): Promise<StartedNode> {
  const data = join(scope.folder, "postgresql");
  mkdirSync(data, { mode: 0o700 });
  // PostgreSQL refuses to be run by root.
  const { uid, gid } = debianUser(root, "postgres");
  chownSync(data, uid, gid);
  const program = (name: string) => debianProgram(root, `${POSTGRESQL}/${name}`, "postgres");
  const initialize = program("initdb").command(data, [
    ...["--pgdata", "/mnt", "--username", "postgres", "--auth", "trust", "--encoding", "UTF8"],
    ...["--locale", "C.UTF-8", "--no-sync"],
  ]);
  await promisify(execFile)(initialize.command, [...initialize.args]).catch((error: unknown) => {
    throw new ServerStartError("initdb failed", error instanceof Error ? error.message : String(error));
  });
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    shared_preload_libraries: "pg_cron,pg_documentdb_core,pg_documentdb",
    "cron.database_name": "postgres",
    "cron.host": "127.0.0.1",
    "documentdb.enableNowSystemVariable": "on",
    "documentdb.enableLetAndCollationForQueryMatch": "on",
    "documentdb.enableUserCrud": "on",
    // Files of the data folder: nothing of it stays in shared memory after a kill.
    dynamic_shared_memory_type: "mmap",
    // What is written survives a killed process all the same; only a killed machine loses it.
    fsync: "off",
  };
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  return startNode("engine", url, async () => {
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const process = scope.start("postgresql", program("postgres").command(data, ["-D", "/mnt", ...args]));
    await process.untilReady("PostgreSQL", async () => (await askPostgres(url, "select 1 as answer")) === "1");
    return process;
  });
}

async function makeExtension(engineUrl: string): Promise<string> {
  await askPostgres(engineUrl, "create extension documentdb cascade");
  return askPostgres(engineUrl, "select extversion as answer from pg_extension where extname = 'documentdb'");
}

async function askPostgres(connectionString: string, statement: string): Promise<string> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ answer: unknown }>(statement);
    return String(rows[0]?.answer);
  } finally {
    await client.end();
  }
}
