import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkPackedPackage } from "../../src/packaging/check-packed-package.ts";
import { runCommand } from "../../src/packaging/run-command.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidemark-packed-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const sound = {
  name: "@tidemark/sound",
  version: "1.0.0",
  license: "Apache-2.0",
  type: "module",
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
};
const soundFiles = {
  LICENSE: "Apache License",
  "README.md": "# @tidemark/sound",
  "dist/index.js": "export const answer = 42;\n",
  "dist/index.d.ts": "export declare const answer: number;\n",
};

async function complaintsAbout(manifest: object, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [path, text] of Object.entries({ ...files, "package.json": JSON.stringify(manifest) })) {
    const full = join(folder, "package", path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, text);
  }
  const tarball = join(folder, "packed.tgz");
  await runCommand("tar", ["-czf", tarball, "package"], { cwd: folder });
  const unpackedInto = join(folder, "unpacked");
  await mkdir(unpackedInto);
  return (await checkPackedPackage(tarball, unpackedInto)).join("\n");
}

test("a sound package has nothing against it", async () => {
  expect(await complaintsAbout(sound, soundFiles)).toBe("");
});

test("a package with the workspace's own ways in it is refused", async () => {
  const manifest = {
    ...sound,
    exports: { ".": { "@tidemark/source": "./src/index.ts", ...sound.exports["."] } },
    peerDependencies: { "@tidemark/core": "workspace:^" },
  };
  const { LICENSE: _, ...files } = soundFiles;
  const complaints = await complaintsAbout(manifest, { ...files, "src/index.ts": "export const answer = 42;\n" });
  expect(complaints).toContain("LICENSE is missing");
  expect(complaints).toContain("sources are in: src/index.ts");
  expect(complaints).toContain("has the condition @tidemark/source");
  expect(complaints).toContain("has a workspace: range");
  expect(complaints).toContain("points into src/");
});

test("a package without what its exports name is refused", async () => {
  const { "dist/index.js": _, ...files } = soundFiles;
  expect(await complaintsAbout(sound, files)).toContain("publint: ");
});

test("a package whose types are of another kind than its modules is refused", async () => {
  const exports = { ".": { types: "./dist/index.d.cts", default: "./dist/index.js" } };
  const { "dist/index.d.ts": types, ...files } = soundFiles;
  expect(await complaintsAbout({ ...sound, exports }, { ...files, "dist/index.d.cts": types })).toContain("attw: ");
});
