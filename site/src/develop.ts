import { rmSync, watch } from "node:fs";
import { join } from "node:path";
import { createServer } from "vitepress";
import { listPages } from "./pages.ts";
import { rootFolder } from "./repository.ts";
import { stagePage, stageSite } from "./stage.ts";

// Serves the site on loopback, and shows each page anew when it is saved. Comments in sources are read once, at the start.
const folder = await stageSite();
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit());
for (const page of listPages()) watch(join(rootFolder, page.source), () => stagePage(folder, page));
const server = await createServer(folder, { host: "127.0.0.1" });
await server.listen();
server.printUrls();
