import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * The full path of a program of this package for another process to run, by its path below the sources: the source in the
 * workspace, what is built of it in the package.
 */
export function programFile(name: string): string {
  const root = dirname(createRequire(import.meta.url).resolve("@tidemark/core/package.json"));
  return import.meta.url.endsWith(".ts") ? join(root, "src", `${name}.ts`) : join(root, "dist", `${name}.js`);
}
