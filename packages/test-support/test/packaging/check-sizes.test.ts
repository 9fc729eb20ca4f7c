import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkSizes } from "../../src/packaging/check-sizes.ts";
import { publishedFolder, write } from "./published-folder.ts";

test("a limit holds for small changes, and neither for 10 kB nor for another dependency", async () => {
  const sound = await publishedFolder();
  const page = join(sound.folder, "sizes.md");
  const check = async (update = false) => (await checkSizes([sound], { page, update })).join("\n");

  await write(sound.folder, "sizes.md", "# Sizes\n");
  expect(await check()).toContain("has no table between <!-- sizes --> and <!-- /sizes -->");
  await write(sound.folder, "sizes.md", "# Sizes\n\n<!-- sizes -->\n<!-- /sizes -->\nAfter.\n");
  expect(await check()).toContain("`@tidemark/sound`, own code, kB: measured 0.06, stated nothing");
  expect(await check(true)).toBe("");
  const written = await readFile(page, "utf8");
  expect(written).toContain("| `@tidemark/sound` | 0.5 | 0 | 0.5 |");
  expect(written).toMatch(/^# Sizes\n[\s\S]*\nAfter\.\n$/);

  await write(sound.folder, "dist/index.js", "export function answer() { return 42 + 1; }\n");
  expect(await check()).toBe("");
  const large = JSON.stringify(randomBytes(10_000).toString("base64"));
  await write(sound.folder, "dist/index.js", `export function answer() { return ${large}; }\n`);
  expect(await check()).toMatch(
    /own code, kB: measured 1\d\.\d+, stated 0\.5\n.*If the change is worth it, run: TIDEMARK/,
  );
  await write(sound.folder, "dist/unused.js", `export const unused = ${large};\n`);
  await write(sound.folder, "dist/index.js", 'import "./unused.js";\nexport function answer() { return 42; }\n');
  expect(await check(), "what is not used is not in the bundle").toBe("");

  await write(sound.folder, "node_modules/brought/package.json", '{ "name": "brought", "version": "1.0.0" }');
  await write(sound.folder, "package.json", JSON.stringify({ ...sound.manifest, dependencies: { brought: "1.0.0" } }));
  expect(await check()).toContain("`@tidemark/sound`, other packages: measured 1, stated 0");
  await write(
    sound.folder,
    "sizes.md",
    written.replace("`@tidemark/sound` | 0.5 | 0 |", "`@tidemark/sound` | 50 | 1 |"),
  );
  expect(await check(), "a limit far above is none").toContain("own code, kB: measured 0.06, stated 50");
});
