import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "vitepress";
import { rootFolder } from "./repository.ts";
import { stageSite } from "./stage.ts";

// Builds the site: `node site/src/build.ts [--out FOLDER]`, by default into `site/dist`.
const { values } = parseArgs({ options: { out: { type: "string", default: `${rootFolder}site/dist` } } });
const out = resolve(values.out);
const folder = await stageSite();
try {
  await build(folder, { outDir: out });
} finally {
  rmSync(folder, { recursive: true });
}
writeFileSync(join(out, "external-links.txt"), `${externalLinks(out).join("\n")}\n`);
process.stdout.write(`the site is in ${out}\n`);

/** Where the pages lead outside of the site, sorted. */
function externalLinks(built: string): readonly string[] {
  const pages = readdirSync(built, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));
  const links = pages.flatMap((name) =>
    [...readFileSync(join(built, name), "utf8").matchAll(/ href="(?<link>[a-z]+:[^"]*)"/g)].map(
      ({ groups }) => groups?.["link"]?.replaceAll("&amp;", "&") ?? "",
    ),
  );
  return [...new Set(links)].sort();
}
