import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import { linksOf } from "../../src/packaging/markdown-links.ts";
import { publicPackages, rootFolder } from "../../src/packaging/workspace.ts";

const README = join(rootFolder, "README.md");

test("the README is short, and begins with the two commands", () => {
  const text = readFileSync(README, "utf8");
  expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  expect(text).toMatch(/^# Tidemark\n\n<!-- clone -->\n\n```sh\nnpx .* demo .*\nnpx .* test .*\n```\n/);
});

test("every page and every package's README is found from the README, by two links at most", () => {
  const near = new Set([README]);
  for (const _ of ["one link", "two links"])
    for (const page of [...near]) for (const next of pagesFrom(page)) near.add(next);
  const pages = [
    ...readdirSync(join(rootFolder, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
    ...publicPackages().map(({ folderName }) => `packages/${folderName}/README.md`),
    ...["examples/README.md", "benchmarks/README.md", "CONTRIBUTING.md"],
  ];
  const found = new Set([...near].map((page) => relative(rootFolder, page)));
  expect(pages.filter((page) => !found.has(page))).toEqual([]);
});

test("what pages have run in a clone is a script of it", () => {
  const { scripts } = JSON.parse(readFileSync(join(rootFolder, "package.json"), "utf8")) as { scripts: object };
  const pages = ["README.md", "CONTRIBUTING.md", "docs/quick-start.md", "docs/writing-a-store.md"];
  const named = pages.flatMap((page) =>
    [...readFileSync(join(rootFolder, page), "utf8").matchAll(/pnpm@[\d.]+ (?:run )?(?<script>[a-z:]+)/g)].map(
      ({ groups }) => groups?.["script"],
    ),
  );
  expect(named).toContain("packages:pack");
  expect(
    named.filter((name) => name !== "exec" && name !== "install" && !Object.keys(scripts).includes(name ?? "")),
  ).toEqual([]);
});

/** The pages of the repository that a page leads to. */
function pagesFrom(page: string): readonly string[] {
  return linksOf(readFileSync(page, "utf8")).flatMap(({ target }) => {
    if (/^[a-z][a-z+.-]*:/i.test(target)) return [];
    const file = resolve(dirname(page), target.replace(/#.*$/, ""));
    return file.endsWith(".md") && existsSync(file) && statSync(file).isFile() ? [file] : [];
  });
}
