import { existsSync, rmSync, watch } from "node:fs";
import { dirname, join, posix } from "node:path";
import { createServer } from "vitepress";
import { listPages } from "./pages.ts";
import { rootFolder } from "./repository.ts";
import { stagePage, stageSite } from "./stage.ts";

// Serves the site on loopback, and shows each page again when it is saved. Comments in sources are read once, at the start.
const folder = await stageSite();
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit());
const pages = listPages();
// Editors put a new file in the place of the old one: a watched folder sees it, a watched file is gone.
for (const watched of new Set(pages.map(({ source }) => dirname(source)))) {
  watch(join(rootFolder, watched), (_event, name) => {
    const changed = pages.find(({ source }) => source === posix.join(watched, name ?? ""));
    if (changed !== undefined && existsSync(join(rootFolder, changed.source))) stagePage(folder, changed);
  });
}
const server = await createServer(folder, { host: "127.0.0.1" });
await server.listen();
server.printUrls();
