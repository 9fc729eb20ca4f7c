import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkEmptyProject } from "../../src/packaging/check-empty-project.ts";
import type { WorkspacePackage } from "../../src/packaging/workspace.ts";
import { publishedFolder, write } from "./published-folder.ts";

async function complaintsAbout(workspacePackage: WorkspacePackage): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), "tidemark-project-"));
  onTestFinished(() => rm(project, { recursive: true }));
  const unpacked = [{ workspacePackage, unpacked: workspacePackage.folder }];
  return (await checkEmptyProject(unpacked, project)).join("\n");
}

test("a sound package is taken, also with types of its peers", async () => {
  const sound = await publishedFolder({ peerDependencies: { told: "1.0.0" } });
  await write(sound.folder, "node_modules/told/package.json", '{ "name": "told", "types": "index.d.ts" }');
  await write(sound.folder, "node_modules/told/index.d.ts", "export interface Client { readonly open: boolean }\n");
  await write(sound.folder, "dist/index.d.ts", 'export type { Client } from "told";\n');
  expect(await complaintsAbout(sound)).toBe("");
});

test("a type of what nobody is told to install is found, and so is one that is no type", async () => {
  const sound = await publishedFolder({ dependencies: { hidden: "1.0.0" } });
  const types = 'export type { Client } from "hidden";\nexport declare const answer: Missing;\n';
  await write(sound.folder, "dist/index.d.ts", types);
  const complaints = await complaintsAbout(sound);
  for (const resolution of ["nodenext", "bundler"]) expect(complaints).toContain(`an empty project (${resolution})`);
  expect(complaints).toContain("'hidden'");
  expect(complaints).toContain("'Missing'");
});
