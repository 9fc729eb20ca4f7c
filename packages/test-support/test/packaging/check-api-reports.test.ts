import { expect, test } from "vitest";
import { checkApiReports } from "../../src/packaging/check-api-reports.ts";
import type { WorkspacePackage } from "../../src/packaging/workspace.ts";
import { publishedFolder, write } from "./published-folder.ts";

const TYPES = "dist/index.d.ts";

async function complaintsAbout(workspacePackage: WorkspacePackage): Promise<string> {
  return (await checkApiReports([workspacePackage], { update: false })).join("\n");
}

test("a change of what is exported is shown, with the command that takes it over", async () => {
  const sound = await publishedFolder();
  expect(await complaintsAbout(sound)).toContain("sound.api.md is missing");
  expect(await checkApiReports([sound], { update: true })).toEqual([]);
  expect(await complaintsAbout(sound)).toBe("");

  await write(sound.folder, TYPES, "/** Answers. */\nexport declare function answer(to: string): number;\n");
  await write(sound.folder, "api/sound-gone.api.md", "# What was once exported\n");
  const complaints = await complaintsAbout(sound);
  expect(complaints).toContain("- export function answer(): number;\n+ export function answer(to: string): number;");
  expect(complaints).toContain("sound-gone.api.md is of no entry point");
  expect(complaints).toContain("TIDEMARK_UPDATE_DOCUMENTS=1 npx -y pnpm@12.21.0 run check:packages");
  expect(await checkApiReports([sound], { update: true })).toEqual([]);
  expect(await complaintsAbout(sound)).toBe("");
});

test("types that nobody can name, or has, and exports that nobody explains are not taken over", async () => {
  const sound = await publishedFolder({ dependencies: { hidden: "1.0.0" }, peerDependencies: { told: "1.0.0" } });
  for (const name of ["hidden", "told"]) {
    await write(sound.folder, `node_modules/${name}/package.json`, `{ "name": "${name}", "types": "index.d.ts" }`);
    await write(
      sound.folder,
      `node_modules/${name}/index.d.ts`,
      "export interface Client { readonly open: boolean }\n",
    );
  }
  const types = [
    'import type { Client as Hidden } from "hidden";',
    'import type { Client as Told } from "told";',
    "/** What answers. */",
    "interface Answering { readonly told: Told; readonly hidden: Hidden }",
    "/** Answers. */",
    "export declare function answer(): Answering;",
    "/** Asks {@link nobody}. */",
    "export declare function ask(hidden: Hidden, told: Told): void;",
    "export declare const unexplained: number;",
    "export {};",
  ];
  await write(sound.folder, TYPES, types.join("\n"));
  const complaints = await checkApiReports([sound], { update: true });
  expect(complaints).toEqual([
    expect.stringContaining("speaks of the type Answering, and does not export it"),
    expect.stringContaining("has types of hidden, which is not among the package's peerDependencies"),
    expect.stringContaining("has an export without documentation: export const unexplained: number;"),
    expect.stringContaining("ae-unresolved-link"),
  ]);
});
