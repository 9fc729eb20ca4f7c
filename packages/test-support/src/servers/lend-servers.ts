import { once } from "node:events";
import { existsSync, statfsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { freemem } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { bundlePackages } from "../packaging/bundle-packages.ts";
import type { MissingServer, OwnServer, RunningServer, ServerName } from "./server.ts";
import { sweepServerFolders } from "./server-folder.ts";
import { LENDER_VARIABLE } from "./shared-server.ts";

const GIGABYTE = 2 ** 30;
const MEMORY_FOLDER = "/dev/shm";

/**
 * Where processes of the tests keep what is not tested: what Node made of the programs that are started again and again, next to
 * the dependencies; temporary files in memory, if there is plenty of it.
 */
function quickerPlaces(): Record<string, string> {
  const cache = join(import.meta.dirname, "../../../../node_modules/.cache/compiled");
  const isRoomy =
    existsSync(MEMORY_FOLDER) &&
    freemem() > 8 * GIGABYTE &&
    (({ bavail, bsize }) => bavail * bsize > 8 * GIGABYTE)(statfsSync(MEMORY_FOLDER));
  return { NODE_COMPILE_CACHE: cache, ...(isRoomy && { TMPDIR: MEMORY_FOLDER }) };
}

/**
 * A global set-up of vitest: builds what the tests run as users do, and lends servers to all workers of the run, each started
 * when it is first asked for.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await bundlePackages();
  project.onTestsRerun(bundlePackages);
  const servers = new Map<string, Promise<OwnServer | RunningServer | MissingServer>>();
  const start = async (name: string): Promise<OwnServer | RunningServer | MissingServer> => {
    const { findOrLaunchServer } = await import("./launch-server.ts");
    return findOrLaunchServer(name as ServerName);
  };
  const lender = createServer((request, response) => {
    const name = request.url?.slice(1) ?? "";
    const server = servers.get(name) ?? start(name);
    servers.set(name, server);
    server.then(
      (found) => response.end(JSON.stringify(found)),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  lender.listen(0, "127.0.0.1");
  await once(lender, "listening");
  // Workers are started later, with this environment.
  for (const [name, value] of Object.entries(quickerPlaces())) process.env[name] ??= value;
  process.env[LENDER_VARIABLE] = `http://127.0.0.1:${(lender.address() as AddressInfo).port}`;
  return async () => {
    lender.close();
    delete process.env[LENDER_VARIABLE];
    const asked = await Promise.allSettled(servers.values());
    const found = asked.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    for (const server of found) if ("missing" in server) process.stderr.write(`${server.missing}\n`);
    await Promise.all(found.map(async (server) => ("stop" in server ? server.stop() : undefined)));
    // Workers that were ended in the middle of a test left the folders of their own servers.
    sweepServerFolders();
  };
}
