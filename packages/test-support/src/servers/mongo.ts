import { MongoClient } from "mongodb";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "./free-port.ts";
import { ownServer, startNode, type StartedNode } from "./own-server.ts";
import { askPostgres, postgresInDebian, startPostgres } from "./postgres.ts";
import type { OwnServer } from "./server.ts";
import type { ServerProgram } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

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
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 10_000, connectTimeoutMS: 10_000 });
  try {
    return await client.db("admin").command(command);
  } finally {
    await client.close();
  }
}

function startEngine(root: string, port: number, scope: ServerScope): Promise<StartedNode> {
  return startPostgres("engine", postgresInDebian(root), port, scope, {
    shared_preload_libraries: "pg_cron,pg_documentdb_core,pg_documentdb",
    "cron.database_name": "postgres",
    "cron.host": "127.0.0.1",
    "documentdb.enableNowSystemVariable": "on",
    "documentdb.enableLetAndCollationForQueryMatch": "on",
    "documentdb.enableUserCrud": "on",
  });
}

async function makeExtension(engineUrl: string): Promise<string> {
  await askPostgres(engineUrl, "create extension documentdb cascade");
  return askPostgres(engineUrl, "select extversion as answer from pg_extension where extname = 'documentdb'");
}
