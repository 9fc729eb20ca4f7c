import { rmSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { runCommand } from "../../src/packaging/run-command.ts";
import { startLocalRegistry } from "../../src/release/local-registry.ts";
import { publishRelease } from "../../src/release/publish-release.ts";
import { copyWorkspace } from "../../src/release/workspace-copy.ts";

/** What the next release of the workspace would be, published on this machine alone. */
export interface FirstRelease {
  /** A folder outside of the workspace, for whatever a test makes. Removed in the end. */
  readonly scratch: string;
  /** A copy of the workspace, after the release. One file of tests may change it. */
  readonly workspace: string;
  /** Where the local registry keeps what was published. */
  readonly storage: string;
  /** The lines of an `.npmrc` that lead to that registry. */
  readonly npmrc: string;
  /** What was uploaded, as `core-0.1.0`. */
  readonly published: readonly string[];
  /** The program of each Node that is supported, by its major version. */
  readonly nodes: Readonly<Record<string, string>>;
}

declare module "vitest" {
  interface ProvidedContext {
    firstRelease: FirstRelease;
  }
}

/** The newest of each line that the packages support. 24 is the one that runs this. */
const OTHER_NODES = { "22": "22.23.3", "26": "26.10.0" };

/** A global set-up of vitest: makes and publishes the next release, once for the whole run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scratch = await mkdtemp(join(tmpdir(), "tidemark-rehearsal-"));
  // An interrupted run is not torn down.
  const removeNow = (): void => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", removeNow);
  const registry = await startLocalRegistry(join(scratch, "registry"));
  const teardown = async (): Promise<void> => {
    await registry.close();
    process.off("exit", removeNow);
    await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const workspace = await copyWorkspace(join(scratch, "workspace"), registry.npmrc);
    const [nodes, published] = await Promise.all([
      installNodes(join(scratch, "nodes")),
      (async () => {
        const changesets = await readdir(join(workspace.folder, ".changeset"));
        // Where the versions are raised already, what is on main is the next release.
        if (changesets.some((name) => name.endsWith(".md"))) {
          await workspace.run("pnpm", ["run", "release:version"]);
          await workspace.commit("Version packages");
        }
        return publishRelease(workspace);
      })(),
    ]);
    const { storage, npmrc } = registry;
    project.provide("firstRelease", { scratch, workspace: workspace.folder, storage, npmrc, published, nodes });
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}

async function installNodes(folder: string): Promise<Record<string, string>> {
  const name = `node-${process.platform}-${process.arch}`;
  const wanted = Object.entries(OTHER_NODES).map(([major, version]) => `node${major}@npm:${name}@${version}`);
  const { code, output } = await runCommand(
    "npm",
    ["install", "--prefix", folder, "--no-audit", "--no-fund", "--prefer-offline", ...wanted],
    { cwd: tmpdir() },
  );
  if (code !== 0) throw new Error(`the other Nodes could not be installed:\n${output}`);
  const others = Object.keys(OTHER_NODES).map((major) => [major, join(folder, `node_modules/node${major}/bin/node`)]);
  return { ...Object.fromEntries(others), "24": process.execPath };
}
