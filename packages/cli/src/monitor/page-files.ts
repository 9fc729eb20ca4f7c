import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire, stripTypeScriptTypes } from "node:module";

/** One file that a browser asks for. */
export interface PageFile {
  readonly type: string;
  readonly content: string | Uint8Array;
  /** Where scripts and styles may come from; of the document. */
  readonly policy?: string;
}

/** From the workspace the page's scripts are served as they are, without their types; what is published is one script. */
const FROM_SOURCE = import.meta.url.endsWith(".ts");
const EXTENSION = FROM_SOURCE ? ".ts" : ".js";
const SCRIPTS = new URL(FROM_SOURCE ? "page/" : "monitor/page/", import.meta.url);
/** What is no script is published as it is. */
const STYLES = new URL(FROM_SOURCE ? "page/" : "../src/monitor/page/", import.meta.url);

/** Reads all files of the page, by their paths. Nothing of it comes from another host. */
export async function readPageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const files = new Map<string, PageFile>([["/", documentFile()]]);
  const scripts = (await readdir(SCRIPTS)).filter((name) => name.endsWith(EXTENSION) && !name.endsWith(".d.ts"));
  for (const name of scripts) {
    const text = await readFile(new URL(name, SCRIPTS), "utf8");
    files.set(`/${name}`, {
      type: "text/javascript; charset=utf-8",
      content: FROM_SOURCE ? stripTypeScriptTypes(text) : text,
    });
  }
  const { resolve } = createRequire(import.meta.url);
  files.set("/page.css", { type: "text/css; charset=utf-8", content: await readFile(new URL("page.css", STYLES)) });
  files.set("/uplot.css", {
    type: "text/css; charset=utf-8",
    content: await readFile(resolve("uplot/dist/uPlot.min.css")),
  });
  files.set("/uplot.js", {
    type: "text/javascript; charset=utf-8",
    content: await readFile(resolve("uplot/dist/uPlot.esm.js")),
  });
  return files;
}

function documentFile(): PageFile {
  const imports = JSON.stringify({ imports: { uplot: "./uplot.js" } });
  const hash = createHash("sha256").update(imports).digest("base64");
  return {
    type: "text/html; charset=utf-8",
    policy: `default-src 'none'; script-src 'self' 'sha256-${hash}'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    content: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Tidemark monitor</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M1 10c2.300 0 2.300-3 4.700-3s2.300 3 4.700 3 2.300-3 4.600-3' fill='none' stroke='%230b7285' stroke-width='2.500'/%3E%3C/svg%3E">
<link rel="stylesheet" href="uplot.css">
<link rel="stylesheet" href="page.css">
<script type="importmap">${imports}</script>
<script type="module" src="page${EXTENSION}"></script>
</head>
<body>
<header>
<h1>Tidemark</h1>
<p id="place"></p>
<p id="status" role="status">Loading</p>
</header>
<main>
<p id="failure" role="alert" hidden></p>
<ul id="warnings" hidden></ul>
<div class="tools"><input id="filter" type="search" placeholder="Filter by consumer or topic" aria-label="Filter by consumer or topic"><p id="sum"></p></div>
<div id="headings" class="line headings" aria-hidden="true"><span>Consumer</span><span class="number">Lag</span><span class="number">Records/s</span><span class="number">Members</span><span class="number">Partitions</span><span class="number">Oldest activity</span></div>
<div id="consumers"></div>
<p id="nothing" hidden></p>
</main>
<noscript>This page needs JavaScript. The same as text: <a href="metrics">metrics</a>.</noscript>
</body>
</html>
`,
  };
}
