import { join } from "node:path";
import type { WorkspacePackage } from "./workspace.ts";

/** What others may import of a package. */
export interface EntryPoint {
  readonly workspacePackage: WorkspacePackage;
  /** What an import names, for example `@tidemark/core/driver`. */
  readonly specifier: string;
  /** The full path of what is built for it, in the workspace. */
  readonly moduleFile: string;
  readonly declarationsFile: string;
}

/** The entry points of a package that is published, as its manifest has them. */
export function entryPointsOf(workspacePackage: WorkspacePackage): readonly EntryPoint[] {
  const { folder, manifest } = workspacePackage;
  return Object.entries(manifest.publishConfig?.exports ?? {})
    .filter(([subpath]) => subpath !== "./package.json")
    .map(([subpath, target]) => {
      const { types = "", default: module = "" } = target as Readonly<Record<string, string>>;
      return {
        workspacePackage,
        specifier: `${manifest.name}${subpath.slice(1)}`,
        moduleFile: join(folder, module),
        declarationsFile: join(folder, types),
      };
    });
}
