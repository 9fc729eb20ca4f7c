import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

// In a process of its own, on a copy of core that has nothing next to it: within the workspace the package is always found.
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidemark-elsewhere-"));
  await cp(fileURLToPath(new URL("../../core/src", import.meta.url)), join(folder, "core"), { recursive: true });
  await mkdir(join(folder, "project"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function resolveInProject(name: string): Promise<string> {
  const core = pathToFileURL(join(folder, "core", "reset", "resolve-offset-reset-policy.ts")).href;
  const program = `
    const { resolveOffsetResetPolicy } = await import(${JSON.stringify(core)});
    const answer = await resolveOffsetResetPolicy(${JSON.stringify(name)}).catch((error) => error);
    console.log(answer instanceof Error ? String(answer) : answer.name);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: join(folder, "project"),
    // The package manager's shims name places where everything is found; users have none of that.
    env: { ...process.env, NODE_PATH: "" },
  });
  return stdout.trim();
}

async function installCompanion(text: string): Promise<void> {
  const companion = join(folder, "project", "node_modules", "@tidemark", "reset-policies");
  await mkdir(companion, { recursive: true });
  await writeFile(join(companion, "package.json"), '{ "type": "module", "exports": "./index.js" }');
  await writeFile(join(companion, "index.js"), text);
}

test("without the package the default has its name, and any other says what to install", async () => {
  expect(await resolveInProject("earliest")).toBe("earliest");
  const message = await resolveInProject("latest");
  expect(message).toMatch(/^TypeError: /);
  expect(message).toContain("npm install @tidemark/reset-policies");
  expect(message).toContain("or pass the policy as an object");
});

test("the package is found from the working directory where core does not see it", async () => {
  await installCompanion(`
    export const offsetResetPolicyByName = (name) => ({ name, timestamp: () => -1 });
    export const offsetResetPolicyNames = [];
  `);
  expect(await resolveInProject("latest")).toBe("latest");
});

test("a package that is there but broken is not called absent", async () => {
  await installCompanion(`import "something-that-it-lacks";`);
  const message = await resolveInProject("latest");
  expect(message).toContain("something-that-it-lacks");
  expect(message).not.toContain("npm install");
});
