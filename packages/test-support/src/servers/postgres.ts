import { execFile } from "node:child_process";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { freePorts } from "./free-port.ts";
import { ownServer, startNode, type StartedNode } from "./own-server.ts";
import type { OwnServer, ServerNode } from "./server.ts";
import { ServerStartError } from "./server-process.ts";
import { debianProgram, debianUser } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

/** Where the Debian folder has PostgreSQL's programs. */
const PROGRAMS = "/usr/lib/postgresql/18/bin";

/** Starts PostgreSQL as it comes. */
export async function launchPostgres(debianRoot: string, scope: ServerScope): Promise<OwnServer> {
  const [port = 0] = await freePorts(1);
  const node = await startPostgres("server", debianRoot, port, scope, {});
  const { url } = node;
  return ownServer({ name: "postgres", version: await postgresVersion(url), url, urls: [url] }, scope, [node]);
}

/** Makes a cluster of PostgreSQL and starts it on a port; `settings` are those of its configuration file. */
export async function startPostgres(
  role: ServerNode["role"],
  debianRoot: string,
  port: number,
  scope: ServerScope,
  settings: Readonly<Record<string, string>>,
): Promise<StartedNode> {
  const data = join(scope.folder, "postgresql");
  mkdirSync(data, { mode: 0o700 });
  // PostgreSQL refuses to be run by root.
  const { uid, gid } = debianUser(debianRoot, "postgres");
  chownSync(data, uid, gid);
  const program = (name: string) => debianProgram(debianRoot, `${PROGRAMS}/${name}`, "postgres");
  const initialize = program("initdb").command(data, [
    ...["--pgdata", "/mnt", "--username", "postgres", "--auth", "trust", "--encoding", "UTF8"],
    ...["--locale", "C.UTF-8", "--no-sync"],
  ]);
  await promisify(execFile)(initialize.command, [...initialize.args]).catch((error: unknown) => {
    throw new ServerStartError("initdb failed", error instanceof Error ? error.message : String(error));
  });
  const all = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    // Files of the data folder: nothing of it stays in shared memory after a kill.
    dynamic_shared_memory_type: "mmap",
    // What is written survives a killed process all the same; only a killed machine loses it.
    fsync: "off",
    ...settings,
  };
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  return startNode(role, url, async () => {
    const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const process = scope.start("postgresql", program("postgres").command(data, ["-D", "/mnt", ...args]));
    await process.untilReady("PostgreSQL", async () => (await askPostgres(url, "select 1 as answer")) === "1");
    return process;
  });
}

/** Its name and version, as the tables print it: `PostgreSQL 18.1`. */
export async function postgresVersion(url: string): Promise<string> {
  const version = await askPostgres(url, "select current_setting('server_version') as answer");
  // Debian's builds add their own version in brackets.
  return `PostgreSQL ${version.split(" ")[0] ?? version}`;
}

/** The column `answer` of a statement's first row, as text. */
export async function askPostgres(connectionString: string, statement: string): Promise<string> {
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
