/**
 * The environment of a command for which packages of this repository's own are not installed. Those that lie in the
 * folder where it runs are.
 */
export function withoutPackages(...names: readonly string[]): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${new URL("./hide-packages.ts", import.meta.url).href}`,
    HIDDEN_PACKAGES: names.join(","),
  };
}
