import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "redis";
import { afterEach, describe, it, vi } from "vitest";
import { launchOrSkip, launchServer, requireServer } from "../../src/servers/index.ts";
import { processStart } from "../../src/servers/process-identity.ts";

async function ask(url: string, ...words: string[]): Promise<unknown> {
  const client = createClient({ url, RESP: 2, socket: { reconnectStrategy: false } });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await client.sendCommand(words);
  } finally {
    client.destroy();
  }
}

/** The folders that a process has for its servers. */
function foldersOf(pid: number | undefined): string[] {
  const root = join(tmpdir(), `tidemark-servers-${process.getuid?.() ?? "user"}`);
  return existsSync(root) ? readdirSync(root).filter((name) => name.startsWith(`${pid}-`)) : [];
}

describe("a server of one's own", () => {
  it("keeps its data over a kill and a restart, on the same port", async ({ skip }) => {
    const server = await launchOrSkip("redis", skip);
    try {
      await ask(server.url, "SET", "key", "value");
      const [first] = server.pids;
      await server.kill();
      assert.deepEqual(server.pids, []);
      await assert.rejects(ask(server.url, "GET", "key"));
      await server.restart();
      assert.notEqual(server.pids[0], first);
      assert.equal(await ask(server.url, "GET", "key"), "value");
    } finally {
      await server.stop();
    }
  });

  it("does not know of another one at the same time", async ({ skip }) => {
    const servers = await Promise.all([launchOrSkip("redis", skip), launchOrSkip("redis", skip)]);
    try {
      const [one, other] = servers;
      await ask(one.url, "SET", "key", "value");
      assert.equal(await ask(other.url, "GET", "key"), null);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  });

  it("leaves no process and no folder", async ({ skip }) => {
    const before = foldersOf(process.pid);
    const server = await launchOrSkip("redis-cluster", skip);
    const { pids } = server;
    assert.equal(pids.length, 3);
    assert.equal(foldersOf(process.pid).length, before.length + 1);
    await server.stop();
    assert.deepEqual(pids.filter(processStart), []);
    assert.deepEqual(foldersOf(process.pid), before);
  });

  it.for(["minio", "versitygw", "ceph", "mongo", "postgres", "postgres-newest", "pgbouncer"] as const)(
    "of %s answers again after a kill",
    async (name, { skip }) => {
      const server = await launchOrSkip(name, skip);
      try {
        await server.kill();
        await server.restart();
        assert.ok(server.pids.length > 0);
        assert.doesNotMatch(server.version, /no known version|DEVELOPMENT/u);
      } finally {
        await server.stop();
      }
    },
  );
});

describe("a launcher that is killed", () => {
  it.for(["redis", "valkey", "mongo", "postgres", "pgbouncer"] as const)(
    "takes its %s with it, and the next one its folder",
    async (name, { skip }) => {
      await (await launchOrSkip(name, skip)).stop();
      const index = fileURLToPath(new URL("../../src/servers/index.ts", import.meta.url));
      const script = `import { launchServer } from ${JSON.stringify(index)};
      const server = await launchServer(${JSON.stringify(name)});
      console.log(JSON.stringify(server.pids ?? server.missing));
      setInterval(() => undefined, 1000);`;
      const launcher = spawn(
        process.execPath,
        ["--conditions=@tidemark/source", "--input-type=module", "--eval", script],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      const [line] = (await once(launcher.stdout, "data")) as [Buffer];
      const pids = JSON.parse(line.toString()) as number[];
      const starts = pids.map(processStart);
      assert.ok(starts.length > 0 && starts.every(Boolean));
      assert.equal(foldersOf(launcher.pid).length, 1);
      const gone = once(launcher, "exit");
      launcher.kill("SIGKILL");
      await gone;
      await vi.waitFor(
        () =>
          assert.deepEqual(
            pids.map(processStart),
            pids.map(() => undefined),
          ),
        30_000,
      );
      await (await launchOrSkip(name, skip)).stop();
      assert.deepEqual(foldersOf(launcher.pid), []);
    },
  );
});

describe("a missing server", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is said in one line, with what to do", async () => {
    vi.stubEnv("PATH", "/nowhere");
    vi.stubEnv("TIDEMARK_SERVERS_DIR", "/nowhere");
    const server = await launchServer("minio");
    assert.deepEqual(server, {
      name: "minio",
      missing:
        "minio was not tested: it is not installed: run npx -y pnpm@12.21.0 servers:install minio, or set " +
        "TIDEMARK_TEST_MINIO_URL or TIDEMARK_TEST_MINIO_BINARY",
    });
    assert.throws(() => requireServer(server), /minio was not tested/u);
  });

  it("is said of a program that the environment names wrongly", async () => {
    vi.stubEnv("TIDEMARK_TEST_REDIS_BINARY", "/nowhere/redis-server");
    const server = await launchServer("redis");
    assert.ok("missing" in server);
    assert.match(server.missing, /TIDEMARK_TEST_REDIS_BINARY is "\/nowhere\/redis-server", which is no program/u);
  });
});
