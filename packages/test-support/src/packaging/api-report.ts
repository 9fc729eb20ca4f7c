import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type IConfigFile,
} from "@microsoft/api-extractor";
import type { EntryPoint } from "./entry-points.ts";
import { rootFolder } from "./workspace.ts";

/** What an entry point offers, and what a reviewer should hear about it. */
export interface ApiReport {
  /** Every exported declaration, sorted by name, without its documentation. */
  readonly declarations: string;
  /** The names that it exports. */
  readonly exported: readonly string[];
  /** Those of the package's own declarations that exported ones speak of, and that it does not export. */
  readonly unexported: readonly string[];
  /** What is written wrongly in comments, where. */
  readonly remarks: readonly string[];
}

const silent = { default: { logLevel: ExtractorLogLevel.None } };

/** Reads the built declarations of entry points. What they import has to be built and installed. */
export async function reportApis(entryPoints: readonly EntryPoint[]): Promise<ReadonlyMap<EntryPoint, ApiReport>> {
  const scratch = await mkdtemp(join(tmpdir(), "tidemark-api-"));
  try {
    const [first, ...others] = entryPoints.map((entryPoint) => configure(entryPoint, scratch));
    if (first === undefined) return new Map();
    // One program for all of them: the declarations of Node and of the clients are read once.
    const compilerState = CompilerState.create(first, {
      additionalEntryPoints: others.map(({ mainEntryPointFilePath }) => mainEntryPointFilePath),
    });
    const reports = new Map<EntryPoint, ApiReport>();
    for (const [index, config] of [first, ...others].entries()) {
      const entryPoint = entryPoints[index];
      if (entryPoint !== undefined) reports.set(entryPoint, await report(config, compilerState));
    }
    return reports;
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function report(config: ExtractorConfig, compilerState: CompilerState): Promise<ApiReport> {
  const unexported = new Set<string>();
  const remarks: string[] = [];
  Extractor.invoke(config, {
    compilerState,
    localBuild: true,
    messageCallback(message) {
      message.handled = true;
      if (message.messageId === "ae-forgotten-export") {
        const name = /^The symbol "([^"]+)"/.exec(message.text)?.[1];
        if (name !== undefined) unexported.add(name);
      } else if (message.messageId.startsWith("tsdoc-") || message.messageId.startsWith("ae-unresolved")) {
        remarks.push(`${message.sourceFilePath}:${message.sourceFileLine}: ${message.messageId}: ${message.text}`);
      }
    },
  });
  const text = await readFile(config.reportFilePath, "utf8");
  const declarations = /```ts\n(?<code>[\s\S]*?)\n```/.exec(text)?.groups?.["code"]?.trim() ?? "";
  const exports = declarations.matchAll(
    /^export (?:declare |abstract )?(?:interface|type|class|function|const|let|enum) (\w+)/gm,
  );
  return {
    declarations: declarations.replace(/\s*\/\/ \(No @packageDocumentation comment for this package\)$/, ""),
    exported: [...new Set([...exports].map(([, name = ""]) => name))],
    unexported: [...unexported],
    remarks,
  };
}

function configure({ workspacePackage, declarationsFile, specifier }: EntryPoint, scratch: string): ExtractorConfig {
  const configObject: IConfigFile = {
    projectFolder: workspacePackage.folder,
    mainEntryPointFilePath: declarationsFile,
    newlineKind: "lf",
    compiler: {
      overrideTsconfig: {
        compilerOptions: {
          target: "es2024",
          lib: ["esnext"],
          module: "nodenext",
          moduleResolution: "nodenext",
          types: ["node"],
          typeRoots: [join(rootFolder, "node_modules/@types")],
          strict: true,
          skipLibCheck: true,
          exactOptionalPropertyTypes: true,
        },
        include: [declarationsFile],
      },
    },
    apiReport: {
      enabled: true,
      reportFileName: specifier.replaceAll(/\W+/g, "-").slice(1),
      reportFolder: scratch,
      reportTempFolder: join(scratch, "temporary"),
      includeForgottenExports: false,
    },
    docModel: { enabled: false },
    dtsRollup: { enabled: false },
    tsdocMetadata: { enabled: false },
    messages: {
      compilerMessageReporting: silent,
      extractorMessageReporting: silent,
      tsdocMessageReporting: silent,
    },
  };
  return ExtractorConfig.prepare({
    configObject,
    configObjectFullPath: undefined,
    packageJsonFullPath: join(workspacePackage.folder, "package.json"),
  });
}
