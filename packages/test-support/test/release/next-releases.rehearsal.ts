import { once } from "node:events";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { publicPackages, readManifest } from "../../src/packaging/workspace.ts";
import { type LocalRegistry, startLocalRegistry } from "../../src/release/local-registry.ts";
import { publishRelease } from "../../src/release/publish-release.ts";
import { openWorkspaceCopy, type WorkspaceCopy } from "../../src/release/workspace-copy.ts";
import { breakCore } from "./break-core.ts";
import { copyProgram, createUserProject, type UserProject } from "./user-project.ts";

const { scratch, workspace: folder, storage, published } = inject("firstRelease");
const names = publicPackages().map(({ folderName }) => folderName);
/** What needs core, and so everything but core. */
const dependents = names.filter((name) => name !== "core");
const first = versions();
const adapters = [
  "store-memory",
  "store-sqlite",
  "store-postgres",
  "store-redis",
  "store-mongo",
  "store-s3",
  "source-local",
];
const oldAdapters = adapters.map((name) => `@tidemark/${name}@${first[name]}`);
const beside = ["pg@8", "redis@6", "mongodb@7", "@aws-sdk/client-s3@3"];

let workspace: WorkspaceCopy;
let registry: LocalRegistry;

beforeAll(async () => {
  await cp(storage, join(scratch, "next-registry/storage"), { recursive: true });
  registry = await startLocalRegistry(join(scratch, "next-registry"));
  workspace = openWorkspaceCopy(folder);
  await writeFile(join(folder, ".npmrc"), registry.npmrc);
  await workspace.commit("Release elsewhere");
});
afterAll(() => registry.close());

describe("after the next release", () => {
  it("a repair of core is released alone: every range still fits it", async () => {
    await change({ core: "patch" });
    await workspace.run("pnpm", ["run", "release:version"]);
    expect(versions()).toEqual({ ...first, core: raised(first["core"] ?? "", 2) });
    await workspace.run("git", ["checkout", "--", "."]);
    await workspace.run("git", ["clean", "--force", "-d", "--quiet"]);
  });

  describe("a break of core", () => {
    let next: Record<string, string>;
    let uploaded: readonly string[];

    beforeAll(async () => {
      breakCore(folder);
      await change({ core: first["core"]?.startsWith("0.") === true ? "minor" : "major" });
      await workspace.run("pnpm", ["run", "release:version"]);
      await workspace.commit("Version packages");
      next = versions();
      uploaded = await publishRelease(workspace);
    });

    it("breaks what needs core, too, and everything is uploaded", () => {
      const broken = Object.entries(first).map(([name, version]) => [name, nextBreak(version)]);
      expect(next).toEqual(Object.fromEntries(broken));
      expect(uploaded.filter((name) => !published.includes(name))).toEqual(
        names.map((name) => `${name}-${next[name]}`).sort(),
      );
    });

    it("asks for the new core in every package, and says why in its changelog", async () => {
      for (const name of dependents) {
        const described = await (await fetch(`${registry.url}@tidemark%2f${name}`)).json();
        const { versions: all } = described as { versions: Record<string, Record<string, Record<string, string>>> };
        const manifest = all[next[name] ?? ""];
        const range = { ...manifest?.["dependencies"], ...manifest?.["peerDependencies"] }["@tidemark/core"];
        expect(range, name).toBe(`^${next["core"]}`);
      }
    });

    it("npm refuses an old adapter beside the new core", async () => {
      const project = await emptyProject("npm", "refused-by-npm");
      const { code, output } = await project.install(`@tidemark/core@${next["core"]}`, ...oldAdapters.slice(0, 1));
      expect(code).not.toBe(0);
      expect(output).toContain("ERESOLVE");
      expect(output).toContain(
        `peer @tidemark/core@"^${first["core"]}" from @tidemark/store-memory@${first["store-memory"]}`,
      );
    });

    it("pnpm warns of it, and refuses it where it is strict", async () => {
      const project = await emptyProject("pnpm", "refused-by-pnpm");
      const both = [`@tidemark/core@${next["core"]}`, ...oldAdapters.slice(0, 1)];
      const warned = await project.install(...both);
      expect(warned.code, warned.output).toBe(0);
      expect(warned.output).toContain("Issues with peer dependencies found");
      const told = await project.run("pnpm", ["peers", "check"]);
      expect(told.output).toContain("unmet peer @tidemark/core");
      expect(told.output).toContain(`^${first["core"]}`);
      const strict = await emptyProject("pnpm", "refused-by-strict-pnpm");
      await writeFile(
        join(strict.folder, "pnpm-workspace.yaml"),
        "minimumReleaseAge: 0\nstrictPeerDependencies: true\n",
      );
      const refused = await strict.install(...both);
      expect(refused.code).not.toBe(0);
      expect(refused.output).toContain("@tidemark/core");
    });

    it("who forces it is refused by the old adapters, before any of them reaches its server or makes its file", async () => {
      const project = await emptyProject("npm", "forced");
      const forced = [`@tidemark/core@${next["core"]}`, ...oldAdapters, ...beside, "--legacy-peer-deps"];
      const { code, output } = await project.install(...forced);
      expect(code, output).toBe(0);
      const { refusals, connections } = await refusalsIn(project);
      expect(Object.keys(refusals)).toEqual(["memory", "sqlite", "postgres", "redis", "mongo", "s3", "log"]);
      for (const [name, error] of Object.entries(refusals)) {
        expect(error, name).toMatch(
          /^TypeError: this (?:store|log) is built for version 1 .* implements version 2: install/,
        );
      }
      expect(connections).toBe(0);
      for (const file of ["refused.db", "refused-log.db"]) expect(existsSync(join(project.folder, file))).toBe(false);
    });

    it("and the other way around: new adapters by an old core", async () => {
      const project = await emptyProject("npm", "forced-back");
      const newAdapters = adapters.map((name) => `@tidemark/${name}@${next[name]}`);
      const forced = [`@tidemark/core@${first["core"]}`, ...newAdapters, ...beside, "--legacy-peer-deps"];
      const { code, output } = await project.install(...forced);
      expect(code, output).toBe(0);
      const { refusals, connections } = await refusalsIn(project);
      for (const [name, error] of Object.entries(refusals)) {
        expect(error, name).toMatch(
          /^TypeError: this (?:store|log) is built for version 2 .* implements version 1: install/,
        );
      }
      expect(connections).toBe(0);
    });

    it("and what was released together works together", async () => {
      const project = await emptyProject("npm", "together");
      const { code, output } = await project.install("@tidemark/cli");
      expect(code, output).toBe(0);
      const command = "printf 'one\\n' | npx tidemark produce t && npx tidemark consume t -c c --until-end";
      const used = await project.run("bash", ["-c", `npx tidemark topic create t && ${command}`]);
      expect(used.output.split("\n"), used.output).toContain("one");
    });
  });
});

function versions(): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, readManifest(join(folder, "packages", name)).version ?? ""]));
}

async function change(releases: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(releases).map(([name, type]) => `"@tidemark/${name}": ${type}`);
  await writeFile(join(folder, ".changeset/rehearsed.md"), `---\n${lines.join("\n")}\n---\n\nA rehearsed change.\n`);
  await workspace.commit("A change");
}

/** The version with one of its three numbers raised, and those behind it 0. */
function raised(version: string, place: 0 | 1 | 2): string {
  const numbers = version.split(".").map(Number);
  return numbers.map((number, index) => (index < place ? number : index === place ? number + 1 : 0)).join(".");
}

function nextBreak(version: string): string {
  return raised(version, version.startsWith("0.") ? 1 : 0);
}

async function emptyProject(manager: "npm" | "pnpm", name: string): Promise<UserProject> {
  await mkdir(scratch, { recursive: true });
  return createUserProject(join(scratch, name), { manager, npmrc: registry.npmrc });
}

/** What the adapters of a project say when they are opened, and how many connections came of it. */
async function refusalsIn(
  project: UserProject,
): Promise<{ readonly refusals: Readonly<Record<string, string>>; readonly connections: number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await copyProgram("refused.ts", join(project.folder, "refused.mts"));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { output } = await project.run(process.execPath, ["refused.mts", address]);
    const lines = output.split("\n").filter((line) => line.startsWith("{"));
    const refusals = lines.map((line) => JSON.parse(line) as { name: string; error: string });
    return { refusals: Object.fromEntries(refusals.map(({ name, error }) => [name, error])), connections };
  } finally {
    server.close();
  }
}
