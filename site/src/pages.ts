import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rootFolder } from "./repository.ts";

/** A Markdown file of the repository that is a page of the site. */
export interface Page {
  /** Its path in the repository, for example `packages/core/README.md`. */
  readonly source: string;
  /** Its path on the site, without an ending: `packages/core`. A folder's own page ends with `/index`. */
  readonly page: string;
}

/** Every page, the documents first. What is new in `docs/` or `packages/` is one too. */
export function listPages(): readonly Page[] {
  const packages = readdirSync(join(rootFolder, "packages")).sort();
  const pages: Page[] = [
    { source: "README.md", page: "index" },
    ...pagesIn("docs", ""),
    ...pagesIn("docs/decisions", "decisions/"),
    ...packages.map((name) => ({ source: `packages/${name}/README.md`, page: `packages/${name}` })),
    { source: "examples/README.md", page: "examples" },
    { source: "benchmarks/README.md", page: "benchmarks" },
    { source: "CONTRIBUTING.md", page: "contributing" },
    ...packages.map((name) => ({ source: `packages/${name}/CHANGELOG.md`, page: `changes/${name}` })),
  ];
  return pages.filter(({ source }) => existsSync(join(rootFolder, source)));
}

/** A page's first heading, without its code marks. */
export function titleOf(source: string): string {
  const heading = /^# (?<title>.+)$/m.exec(readFileSync(join(rootFolder, source), "utf8"))?.groups?.["title"];
  return (heading ?? source).replaceAll("`", "");
}

function pagesIn(folder: string, prefix: string): readonly Page[] {
  return readdirSync(join(rootFolder, folder))
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => ({ source: `${folder}/${name}`, page: `${prefix}${name.slice(0, -".md".length)}` }));
}
