import type { WaitCommand } from "./acknowledgement.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { isDenied, UnsupportedServerError } from "./redis-errors.ts";

/** What the scripts need: PEXPIRE with GT, and TIME beside writes. */
const OLDEST = { major: 7, minor: 0 };
/** Where WAITAOF came. */
const WAITAOF = { major: 7, minor: 2 };

/**
 * Looks at each master that there is. Gives warnings about how safely positions are kept there.
 *
 * @throws UnsupportedServerError if one is too old, or no master.
 */
export async function checkServers(
  connection: RedisConnection,
  wait: WaitCommand | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  let replies: unknown[];
  try {
    replies = await connection.sendToMasters(["INFO"], signal);
  } catch (error) {
    // A user who may not ask can still keep positions.
    if (!isDenied(error) || String(error).includes("NOAUTH")) throw error;
    return [];
  }
  const warnings = new Set<string>();
  for (const reply of replies) {
    const info = parseInfo(String(reply));
    const version = info.get("redis_version") ?? "";
    refuseIfOlder(version, OLDEST, "the store needs Redis 7.0 or later, or Valkey");
    if (wait?.usesAppendOnlyFile === true)
      refuseIfOlder(version, WAITAOF, "acknowledge.appendOnlyFile needs Redis 7.2 or later");
    if (wait?.usesAppendOnlyFile === true && info.get("aof_enabled") === "0") {
      throw new UnsupportedServerError("acknowledge.appendOnlyFile needs a server with appendonly yes");
    }
    const mode = info.get("redis_mode");
    if (mode === "sentinel") {
      throw new UnsupportedServerError(
        "the server is a Sentinel, which stores no data: add ?sentinel=NAME to the URL, or use createSentinel",
      );
    }
    if (mode === "cluster" && connection.kind !== "cluster") {
      throw new UnsupportedServerError(
        "the server is a node of a Cluster: add ?cluster=true to the URL, or use createCluster",
      );
    }
    const role = info.get("role");
    if (role === "slave" || role === "replica") {
      throw new UnsupportedServerError(
        "the server is a replica and rejects writes: connect to its master, through Sentinel if the master may change",
      );
    }
    const policy = info.get("maxmemory_policy") ?? "noeviction";
    if (Number(info.get("maxmemory") ?? 0) > 0 && policy !== "noeviction") {
      warnings.add(
        `the server evicts keys when its memory is full (maxmemory-policy ${policy}), also positions: a consumer whose position is evicted ` +
          "starts as a new one; set maxmemory-policy noeviction, or use a separate server for positions",
      );
    }
  }
  return [...warnings];
}

function parseInfo(text: string): Map<string, string> {
  const info = new Map<string, string>();
  for (const line of text.split(/\r?\n/u)) {
    const colon = line.indexOf(":");
    if (colon > 0) info.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return info;
}

function refuseIfOlder(version: string, { major, minor }: { major: number; minor: number }, why: string): void {
  const [, is, after] = /^(\d+)\.(\d+)/u.exec(version) ?? [];
  if (is === undefined || after === undefined) return;
  if (Number(is) > major || (Number(is) === major && Number(after) >= minor)) return;
  throw new UnsupportedServerError(`the server is Redis ${version}, and ${why}`);
}
