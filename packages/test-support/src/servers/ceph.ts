import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { findOnPath } from "./find-program.ts";
import { freePorts } from "./free-port.ts";
import { ownServer, startNode } from "./own-server.ts";
import { answersHttp, TEST_S3_KEYS } from "./s3-folder-servers.ts";
import type { OwnServer } from "./server.ts";
import { ServerStartError } from "./server-process.ts";
import type { ServerScope } from "./server-scope.ts";

const PROGRAMS = ["radosgw", "ceph-mon", "ceph-osd", "ceph", "monmaptool", "radosgw-admin"] as const;

/** Whether all of Ceph's programs that are needed are on the PATH. */
export function cephIsInstalled(): boolean {
  return PROGRAMS.every((name) => findOnPath(name) !== undefined);
}

/**
 * Starts Ceph with one monitor, one object store in memory and one RADOS Gateway. The gateway is the node: killing it keeps
 * the data, which the object store has.
 */
export async function launchCeph(scope: ServerScope): Promise<OwnServer> {
  const { folder } = scope;
  const [port = 0, monitorPort = 0, osdPort = 0] = await freePorts(3);
  const configuration = join(folder, "ceph.conf");
  const fsid = randomUUID();
  for (const name of ["mon", "osd", "rgw", "run"]) mkdirSync(join(folder, name));
  writeFileSync(configuration, cephConfiguration({ folder, fsid, port, monitorPort, osdPort }));
  const env = { CEPH_CONF: configuration, CEPH_ARGS: `--conf ${configuration}` };
  const run = (name: (typeof PROGRAMS)[number], ...args: string[]) => runOnce(name, args, env);
  const start = (name: (typeof PROGRAMS)[number], ...args: string[]) =>
    scope.start(name, { command: path(name), args: [...args, "--conf", configuration, "-f"], env });

  const monitors = join(folder, "monmap");
  const address = `[v2:127.0.0.1:${monitorPort}]`;
  await run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, monitors);
  await run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors);
  const monitor = start("ceph-mon", "-i", "a");
  const osdId = randomUUID();
  try {
    await run("ceph", "--connect-timeout", "120", "osd", "new", osdId, "0");
  } catch (error) {
    // It waited for a monitor that is not there.
    throw monitor.running ? error : new ServerStartError("Ceph's monitor ended at its start", monitor.output);
  }
  await run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osdId);
  start("ceph-osd", "-i", "0");
  // The first call makes the zone and its pools, and waits for the object store by itself.
  const { accessKeyId, secretAccessKey } = TEST_S3_KEYS;
  const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
  await run("radosgw-admin", "user", "create", "--uid=tests", "--display-name=tests", ...keys);

  const endpoint = `http://127.0.0.1:${port}`;
  const gateway = await startNode("server", endpoint, async () => {
    const process = start("radosgw", "-n", "client.rgw");
    await process.untilReady("the RADOS Gateway", () => answersHttp(endpoint));
    return process;
  });
  const printed = await run("radosgw", "--version");
  const version = `Ceph RADOS Gateway ${/version (\S+)/u.exec(printed)?.[1] ?? "of no known version"}`;
  const s3 = { endpoint, region: "default", ...TEST_S3_KEYS };
  return ownServer({ name: "ceph", version, url: endpoint, urls: [endpoint], s3 }, scope, [gateway]);
}

function path(name: string): string {
  return findOnPath(name) ?? name;
}

async function runOnce(name: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  const options = { env: { ...process.env, ...env }, timeout: 180_000, killSignal: "SIGKILL" } as const;
  try {
    return (await promisify(execFile)(path(name), [...args], options)).stdout;
  } catch (error) {
    throw new ServerStartError(
      `${name} ${args[0] ?? ""} failed`,
      error instanceof Error ? error.message : String(error),
    );
  }
}

interface CephPlace {
  readonly folder: string;
  readonly fsid: string;
  readonly port: number;
  readonly monitorPort: number;
  readonly osdPort: number;
}

// One copy of everything, no authentication, nothing waits for a second of its kind. No admin sockets: their paths may be
// longer than a socket's path can be.
function cephConfiguration({ folder, fsid, port, monitorPort, osdPort }: CephPlace): string {
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${monitorPort}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind port min = ${osdPort}
ms bind port max = ${osdPort + 40}
auth cluster required = none
auth service required = none
auth client required = none
keyring = /dev/null
admin socket =
run dir = ${folder}/run
log file = ${folder}/$name.log
log to stderr = false
mon cluster log file = ${folder}/cluster.log
debug none = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
mon warn on insecure global id reclaim allowed = false
osd pool default crush rule = -1
[mon]
mon data = ${folder}/mon
mon data avail crit = 1
mon data avail warn = 1
mon election timeout = 1
paxos propose interval = 0.05
paxos min wait = 0.01
[osd]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd class update on start = false
osd crush update on start = true
osd memory target = 939524096
osd scrub load threshold = 0
[client]
ms mon client mode = crc secure
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw dns name = localhost
rgw enable usage log = false
rgw enable ops log = false
rgw thread pool size = 64
rgw num rados handles = 1
rgw dynamic resharding = false
rgw override bucket index max shards = 1
`;
}
