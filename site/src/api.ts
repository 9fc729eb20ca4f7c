import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, type DeclarationReflection, type ProjectReflection, ReflectionKind } from "typedoc";
import type { DefaultTheme } from "vitepress";
import { repositoryUrl, rootFolder } from "./repository.ts";

/** A module that a package exports. */
interface EntryPoint {
  /** As it is imported: `@tidemark/core/driver`. */
  readonly specifier: string;
  /** The path of its source file. */
  readonly file: string;
}

/**
 * Writes a page for each export of each package.
 *
 * @param folder - Where to; it is made.
 * @param url - The same folder on the site, for example `/api/`.
 * @returns the pages for the sidebar, an item for each module.
 * @throws Error after all complaints about comments, which are printed: a link that leads nowhere, an export without a comment.
 */
export async function writeApiPages(folder: string, url: string): Promise<readonly DefaultTheme.SidebarItem[]> {
  const entryPoints = listEntryPoints();
  const app = await Application.bootstrapWithPlugins({
    // By its place: the package manager lets typedoc find it only by chance.
    plugin: [fileURLToPath(import.meta.resolve("typedoc-plugin-markdown"))],
    entryPoints: entryPoints.map(({ file }) => file),
    tsconfig: join(rootFolder, "site/tsconfig.api.json"),
    basePath: rootFolder,
    name: "API",
    readme: "none",
    out: folder,
    disableGit: true,
    gitRevision: "main",
    sourceLinkTemplate: `${repositoryUrl}/blob/main/packages/{path}#L{line}`,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    treatWarningsAsErrors: true,
    validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: true },
    // The type check is a gate of its own.
    skipErrorChecking: true,
    logLevel: "Warn",
    // Of the plug-in.
    hidePageHeader: true,
    hideBreadcrumbs: false,
    useCodeBlocks: true,
    expandObjects: false,
    parametersFormat: "list",
    interfacePropertiesFormat: "list",
    useHTMLEncodedBrackets: true,
    sanitizeComments: true,
    entryFileName: "index",
    modulesFileName: "index",
    pageTitleTemplates: { index: "API", module: "{name}", member: "{name}" },
  } as Parameters<typeof Application.bootstrapWithPlugins>[0]);
  const project = await app.convert();
  if (project === undefined) throw new Error("the packages' types could not be read");
  nameModules(project, entryPoints);
  app.validate(project);
  for (const name of withoutComment(project)) app.logger.warn(`${name} has no comment`);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error("the comments above have to be put right");
  const files = new Map<unknown, string>();
  app.renderer.on("endPage", (page) => {
    files.set(page.model, page.url);
    page.contents = withOneSource(page.contents ?? "");
  });
  await app.generateOutputs(project);
  return sidebarOf(project, (reflection) => {
    const file = files.get(reflection);
    if (file === undefined) throw new Error(`${reflection.name} has no page`);
    return url + file.replace(/(?:index)?\.md$/, "");
  });
}

function listEntryPoints(): readonly EntryPoint[] {
  const packages = join(rootFolder, "packages");
  return readdirSync(packages)
    .filter((name) => existsSync(join(packages, name, "package.json")))
    .sort()
    .flatMap((name) => {
      const { private: isPrivate, exports } = JSON.parse(
        readFileSync(join(packages, name, "package.json"), "utf8"),
      ) as {
        readonly private?: boolean;
        readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
      };
      if (isPrivate === true) return [];
      return Object.entries(exports).flatMap(([path, conditions]) => {
        const file = typeof conditions === "string" ? undefined : conditions["@tidemark/source"];
        return file === undefined
          ? []
          : [{ specifier: `@tidemark/${name}${path.slice(1)}`, file: join(packages, name, file) }];
      });
    });
}

/** The exports that say nothing about themselves. Typedoc's own check asks the same of every property, clear as it may be. */
function withoutComment(project: ProjectReflection): readonly string[] {
  const exported = (project.children ?? []).flatMap((module) => module.children ?? []);
  return exported
    .filter((reflection) => !reflection.kindOf(ReflectionKind.Reference) && !reflection.hasComment())
    .filter(
      ({ signatures = [] }) => signatures.length === 0 || !signatures.every((signature) => signature.hasComment()),
    )
    .map((reflection) => reflection.getFriendlyFullName());
}

/** By what they are imported as, instead of by their files. */
function nameModules(project: ProjectReflection, entryPoints: readonly EntryPoint[]): void {
  for (const module of project.children ?? []) {
    const file = module.sources?.[0]?.fullFileName;
    const entryPoint = entryPoints.find((candidate) => candidate.file === file);
    if (entryPoint === undefined) throw new Error(`${module.name} is no module of a package`);
    module.name = entryPoint.specifier;
  }
}

function sidebarOf(
  project: ProjectReflection,
  linkTo: (reflection: DeclarationReflection) => string,
): readonly DefaultTheme.SidebarItem[] {
  const kinds = [
    { text: "Functions", kind: ReflectionKind.Function },
    { text: "Classes", kind: ReflectionKind.Class },
    { text: "Interfaces", kind: ReflectionKind.Interface },
    { text: "Types", kind: ReflectionKind.TypeAlias },
    { text: "Constants", kind: ReflectionKind.Variable },
  ];
  return (project.children ?? []).map((module) => ({
    text: module.name,
    link: linkTo(module),
    items: kinds.flatMap(({ text, kind }) => {
      const items = (module.children ?? [])
        .filter((child) => child.kind === kind)
        .map((child) => ({ text: child.name, link: linkTo(child) }));
      return items.length === 0 ? [] : [{ text, items }];
    }),
  }));
}

/** Leaves the link to the source file at the top of a page: those of each member say the same once more. */
function withOneSource(page: string): string {
  let count = 0;
  return page.replaceAll(/^Defined in: .*\n\n?/gm, (line) => (count++ === 0 ? line : ""));
}
