import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { freePorts } from "./free-port.ts";
import { ownServer, startNode, type StartedNode } from "./own-server.ts";
import type { OwnServer, ServerName, ServerNode } from "./server.ts";
import { PATIENCE_MS, ServerStartError } from "./server-process.ts";
import { debianProgram, type ServerProgram, unprivilegedProgram, userOf } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

/** Where Debian's packages put PostgreSQL, one folder for each version. */
const VERSIONS = "usr/lib/postgresql";

/** One PostgreSQL's programs. PostgreSQL refuses to be run by root: they run as somebody else. */
export interface PostgresPrograms {
  program(name: "initdb" | "pg_basebackup" | "postgres"): ServerProgram;
  /** Whose the data has to be; `undefined`: this user's. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/** The programs beside one that is called `postgres`. */
export function postgresBeside(path: string): PostgresPrograms {
  const folder = dirname(realpathSync(path));
  return {
    program: (name) => unprivilegedProgram(join(folder, name)),
    owner: process.getuid?.() === 0 ? userOf("/", "nobody") : undefined,
  };
}

/** The programs of the Debian folder that the install script made. */
export function postgresInDebian(root: string): PostgresPrograms {
  const folder = newestIn(root);
  return {
    program: (name) => debianProgram(root, `/${VERSIONS}/${folder}/bin/${name}`, "postgres"),
    owner: userOf(root, "postgres"),
  };
}

/** The path of the newest `postgres` that Debian's packages have put on this machine. */
export function debianPostgres(): string | undefined {
  const newest = existsSync(join("/", VERSIONS)) ? newestIn("/") : undefined;
  return newest === undefined ? undefined : join("/", VERSIONS, newest, "bin", "postgres");
}

/** Starts PostgreSQL as it comes, with room for the clients of many test files. */
export async function launchPostgres(
  name: ServerName,
  programs: PostgresPrograms,
  scope: ServerScope,
): Promise<OwnServer> {
  const [port = 0] = await freePorts(1);
  const node = await startPostgres("server", programs, port, scope, { max_connections: "500" });
  const { url } = node;
  return ownServer({ name, version: await postgresVersion(url), url, urls: [url] }, scope, [node]);
}

/**
 * Makes a cluster of PostgreSQL and starts it on a port; `settings` are those of its configuration file. Whoever is a member
 * of the role `with_password` needs one; all others are trusted.
 */
export async function startPostgres(
  role: ServerNode["role"],
  programs: PostgresPrograms,
  port: number,
  scope: ServerScope,
  settings: Readonly<Record<string, string>>,
): Promise<StartedNode> {
  const data = makeDataFolder("postgresql", programs, scope);
  await runToEnd(programs, "initdb", data, (inside) => [
    ...["--pgdata", inside, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8"],
    ...["--locale", "C.UTF-8", "--no-sync"],
  ]);
  const rules = ["host all +with_password 127.0.0.1/32 scram-sha-256", "host all,replication all 127.0.0.1/32 trust"];
  writeFileSync(join(data, "pg_hba.conf"), `${rules.join("\n")}\n`);
  return runPostgres({ name: "postgresql", role, programs, data, port, scope, settings });
}

/** Makes a folder for a cluster's data. */
export function makeDataFolder(name: string, programs: PostgresPrograms, scope: ServerScope): string {
  const data = join(scope.folder, name);
  mkdirSync(data, { mode: 0o700 });
  if (programs.owner !== undefined) letThrough(scope.folder, data, programs.owner);
  return data;
}

/** Runs a program of PostgreSQL's that makes a cluster, with its folder as the program sees it. */
export async function runToEnd(
  programs: PostgresPrograms,
  name: "initdb" | "pg_basebackup",
  data: string,
  argsFor: (inside: string) => string[],
): Promise<void> {
  const program = programs.program(name);
  const { command, args } = program.command(data, argsFor(program.inside(data)));
  await promisify(execFile)(command, [...args], { cwd: "/", timeout: PATIENCE_MS }).catch((error: unknown) => {
    throw new ServerStartError(`${name} failed`, error instanceof Error ? error.message : String(error));
  });
}

/** Which cluster to run, and as what. */
export interface ClusterToRun {
  /** What its log is called. */
  readonly name: string;
  readonly role: ServerNode["role"];
  readonly programs: PostgresPrograms;
  readonly data: string;
  readonly port: number;
  readonly scope: ServerScope;
  readonly settings: Readonly<Record<string, string>>;
}

/** Runs a cluster that has been made. */
export async function runPostgres(cluster: ClusterToRun): Promise<StartedNode> {
  const { name, role, programs, data, port, scope, settings } = cluster;
  const postgres = programs.program("postgres");
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
    const args = Object.entries(all).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    const process = scope.start(name, postgres.command(data, ["-D", postgres.inside(data), ...args]));
    await process.untilReady("PostgreSQL", async () => (await askPostgres(url, "select 1 as answer")) === "1");
    return process;
  });
}

/** Starts PgBouncer with transactions as what it lends connections for, before a PostgreSQL that is started with it. */
export async function launchPgBouncer(
  program: string,
  programs: PostgresPrograms,
  scope: ServerScope,
): Promise<OwnServer> {
  const [port = 0, serverPort = 0] = await freePorts(2);
  const server = await startPostgres("engine", programs, serverPort, scope, {});
  const folder = join(scope.folder, "pgbouncer");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, "users.txt"), '"postgres" ""\n');
  const lines = [
    ...["[databases]", `* = host=127.0.0.1 port=${serverPort}`],
    ...["[pgbouncer]", "listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir ="],
    ...["auth_type = trust", `auth_file = ${join(folder, "users.txt")}`, "admin_users = postgres"],
    // Few connections for many: whatever a session leaves behind is met by the next.
    ...["pool_mode = transaction", "default_pool_size = 8", "max_client_conn = 1000"],
  ];
  writeFileSync(join(folder, "pgbouncer.ini"), `${lines.join("\n")}\n`);
  if (programs.owner !== undefined) letThrough(scope.folder, folder, programs.owner);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const pooler = await startNode("server", url, async () => {
    const command = unprivilegedProgram(program).command(folder, [join(folder, "pgbouncer.ini")]);
    const process = scope.start("pgbouncer", command);
    await process.untilReady("PgBouncer", async () => (await askPostgres(url, "select 1 as answer")) === "1");
    return process;
  });
  const version = `${await postgresVersion(url)} behind PgBouncer`;
  return ownServer({ name: "pgbouncer", version, url, urls: [url] }, scope, [server, pooler]);
}

/** Its name and version, as the tables print it: `PostgreSQL 18.1`. */
export async function postgresVersion(url: string): Promise<string> {
  const version = await askPostgres(url, "select current_setting('server_version') as answer");
  // Debian's builds add their own version in brackets.
  return `PostgreSQL ${version.split(" ")[0] ?? version}`;
}

/** The column `answer` of a statement's first row, as text. */
export async function askPostgres(connectionString: string, statement: string): Promise<string> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 10_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ answer: unknown }>(statement);
    return String(rows[0]?.answer);
  } finally {
    await client.end();
  }
}

/** Gives a folder of a server to somebody else, who may pass through those above it and not look into them. */
function letThrough(above: string, folder: string, owner: { readonly uid: number; readonly gid: number }): void {
  for (const each of [dirname(above), above]) chmodSync(each, 0o711);
  chownSync(folder, owner.uid, owner.gid);
}

function newestIn(root: string): string | undefined {
  const versions = readdirSync(join(root, VERSIONS)).map(Number).filter(Number.isFinite);
  return versions.length === 0 ? undefined : String(Math.max(...versions));
}
