import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { apiIndex } from "./api-index.ts";
import { writeApiPages } from "./api.ts";
import { listPages, type Page, titleOf } from "./pages.ts";
import { rootFolder } from "./repository.ts";

/** Makes a folder that vitepress can build: all pages at their places on the site, with its configuration and theme. */
export async function stageSite(): Promise<string> {
  // Vite finds the packages from here, and no other build has this folder.
  const folder = mkdtempSync(join(rootFolder, "site/.pages-"));
  try {
    await fillFolder(folder);
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
}

async function fillFolder(folder: string): Promise<void> {
  const settings = join(folder, ".vitepress");
  mkdirSync(join(settings, "theme"), { recursive: true });
  const api = await writeApiPages(join(folder, "api"), "/api/");
  // The one of typedoc's is a list of names.
  writeFileSync(join(folder, "api/index.md"), apiIndex(api));
  writeFileSync(
    join(settings, "config.ts"),
    `import { siteConfig } from "../../src/config.ts";\nexport default siteConfig(${JSON.stringify(api)});\n`,
  );
  writeFileSync(join(settings, "theme/index.ts"), `export { theme as default } from "../../../src/theme/theme.ts";\n`);
  cpSync(join(rootFolder, "docs/images"), join(folder, "images"), { recursive: true });
  const pages = listPages();
  for (const page of pages) stagePage(folder, page);
  writeFileSync(join(folder, "decisions/index.md"), decisionsPage(pages));
}

/** Puts one page, or its present version, in its place. */
export function stagePage(folder: string, { source, page }: Page): void {
  const from = join(rootFolder, source);
  const to = join(folder, `${page}.md`);
  mkdirSync(dirname(to), { recursive: true });
  if (page !== "index") copyFileSync(from, to);
  else writeFileSync(to, homePage(readFileSync(from, "utf8")));
}

/**
 * The README below the site's greeting, which takes the place of its heading. What works in a clone only, between
 * `<!-- clone -->` and `<!-- /clone -->`, is for readers of the repository.
 */
function homePage(readme: string): string {
  const greeting = readFileSync(join(rootFolder, "site/home.md"), "utf8");
  const forUsers = readme.replace(/^# .*\n/, "").replace(/^<!-- clone -->$.*?^<!-- \/clone -->$/ms, "");
  return `${greeting}\n${forUsers}`;
}

function decisionsPage(pages: readonly Page[]): string {
  const decisions = pages.filter(({ page }) => page.startsWith("decisions/"));
  const lines = decisions.map(({ source, page }) => `- [${titleOf(source)}](/${page})`);
  return `# Decisions\n\nWhy things are as they are, where one would expect otherwise.\n\n${lines.join("\n")}\n`;
}
