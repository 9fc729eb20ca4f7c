import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import { anchorsOf, linksOf } from "../../src/packaging/markdown-links.ts";
import { rootFolder } from "../../src/packaging/workspace.ts";

test("takes the links of a page, and not what stands in code", () => {
  const page = [
    "# Page",
    "A [link](a.md#b), `[code](no.md)`, and [one",
    "over two lines](<c.md> 'title').",
    "```ts",
    "[1](no.md);",
    "```",
    "![image](d.png)",
    "[defined]: e.md",
  ].join("\n");
  expect(linksOf(page)).toEqual([
    { line: 2, target: "a.md#b" },
    { line: 3, target: "c.md" },
    { line: 7, target: "d.png" },
    { line: 8, target: "e.md" },
  ]);
});

test("takes the anchors that GitHub makes of headings", () => {
  const page = ["# The `--flag`, and [a page](a.md)!", "## Same", "## Same", "```sh", "# no heading", "```"].join("\n");
  expect([...anchorsOf(page)]).toEqual(["the---flag-and-a-page", "same", "same-1"]);
});

test("every relative link of a page leads somewhere, and so does its anchor", () => {
  const files = pagesBelow(rootFolder);
  expect(files.length).toBeGreaterThan(20);
  const broken: string[] = [];
  for (const file of files) {
    for (const { line, target } of linksOf(readFileSync(file, "utf8"))) {
      const complaint = complaintAbout(file, target);
      if (complaint !== undefined) broken.push(`${relative(rootFolder, file)}:${line}: ${target}: ${complaint}`);
    }
  }
  expect(broken).toEqual([]);
});

/** This repository's own pages, by the address that they will have. */
const OWN_PAGES = "https://github.com/tidemark-js/tidemark/blob/main/";

function complaintAbout(from: string, target: string): string | undefined {
  const isOwn = target.startsWith(OWN_PAGES);
  if (!isOwn && /^[a-z][a-z+.-]*:/i.test(target)) return undefined;
  const [path = "", anchor] = (isOwn ? target.slice(OWN_PAGES.length) : target).split("#", 2);
  const folder = isOwn ? rootFolder : dirname(from);
  const file = path === "" ? from : resolve(folder, decodeURIComponent(path));
  if (relative(rootFolder, file).startsWith("..")) return "lies outside of the repository";
  if (!existsSync(file)) return "is not there";
  if (anchor === undefined || !file.endsWith(".md")) return undefined;
  return anchorsOf(readFileSync(file, "utf8")).has(anchor) ? undefined : "the page has no such heading";
}

/** The pages of a folder and those below it. What was installed, built or made by tools is not the repository's own. */
function pagesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return entry.isFile() && entry.name.endsWith(".md") ? [path] : [];
    return /^(?:\.|node_modules$|dist$)/.test(entry.name) ? [] : pagesBelow(path);
  });
}
