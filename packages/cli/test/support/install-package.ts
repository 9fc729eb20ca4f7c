import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Workspace } from "./workspace.ts";

/** What a package of a test imports to be a SQLite store. */
export const SQLITE_STORE = new URL("../../../store-sqlite/src/index.ts", import.meta.url).href;

/** Writes a package as npm would install it: one that `import` alone may load, as most are today. */
export async function install(workspace: Workspace, name: string, source: string): Promise<void> {
  const folder = join(workspace.folder, "node_modules", name);
  await mkdir(folder, { recursive: true });
  const manifest = { name, version: "1.0.0", type: "module", exports: { ".": { import: "./main.js" } } };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "main.js"), source);
}

/**
 * Installs a store for `foo:` that keeps positions in a SQLite file, with one method of its own.
 *
 * @param told - The body of a function of `store`, which is that of SQLite, and `url`.
 */
export async function installStoreWith(workspace: Workspace, method: string, told: string): Promise<void> {
  await install(
    workspace,
    "tidemark-store-foo",
    `
    import { storeUrl as sqlite } from ${JSON.stringify(SQLITE_STORE)};
    export const storeUrl = {
      schemes: ["foo"],
      usage: "foo:NAME",
      async open(url, options) {
        const store = await sqlite.open("sqlite:foo.db", options);
        const own = ((store, url) => { ${told} })(store, url);
        const get = (_, name) => {
          const value = name === ${JSON.stringify(method)} ? own : store[name];
          return typeof value === "function" ? value.bind(store) : value;
        };
        return new Proxy({}, { get });
      },
    };`,
  );
}
