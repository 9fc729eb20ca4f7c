import { CommandFailure } from "../failure/command-failure.ts";
import { messageOf } from "../failure/report-failure.ts";
import { UsageError } from "../failure/usage-error.ts";
import { importFromFolder, isNotInstalled, missingPackage } from "./import-from-folder.ts";
import { schemeOf } from "./scheme.ts";

/** What stores' and logs' openers have in common. */
export interface UrlOpener {
  readonly schemes: readonly string[];
  readonly usage: string;
}

/** A package of ours that does not come along. */
export interface InstallablePackage {
  readonly name: string;
  /** The packages that the user installs beside it. */
  readonly peers: readonly string[];
}

/** Where the openers of one kind come from. */
export interface UrlRegistry<Opener extends UrlOpener> {
  readonly what: "store" | "log";
  /** Under which name a package exports its opener. */
  readonly exportName: "storeUrl" | "logUrl";
  /** Schemes whose package comes along with the command line; imported when one is asked for. */
  readonly included: Readonly<Record<string, () => Promise<Opener>>>;
  /** Schemes of our packages that are installed when they are needed, each with the client that it works on. */
  readonly installable: Readonly<Record<string, InstallablePackage>>;
  /** Written before the scheme, it names a third party's package: `tidemark-store-` and `foo` make `tidemark-store-foo`. */
  readonly packagePrefix: string;
  /** How the URLs of the included ones are written, for messages. */
  readonly usage: string;
}

/** Where to look for what does not come along. */
export interface PluginSources {
  /** Packages or modules that the user named, asked first. */
  readonly plugins: readonly string[];
  /** The folder that packages are looked up from. */
  readonly folder: string;
}

/**
 * Finds who opens a URL: what is included, what can be installed, the plugins named by the user, then the package that the
 * naming convention gives.
 *
 * @throws UsageError if the scheme is unknown; CommandFailure if its package is not installed or cannot be loaded.
 */
export async function findUrlOpener<Opener extends UrlOpener>(
  registry: UrlRegistry<Opener>,
  url: string,
  sources: PluginSources,
): Promise<Opener> {
  const scheme = schemeOf(url, registry.what, registry.usage);
  const included = Object.hasOwn(registry.included, scheme) ? registry.included[scheme] : undefined;
  if (included !== undefined) return await included();
  const installable = Object.hasOwn(registry.installable, scheme) ? registry.installable[scheme] : undefined;
  if (installable !== undefined) return await openerOfInstallable(registry, scheme, installable, sources.folder);
  return (
    (await openerOfPlugins(registry, scheme, sources)) ??
    (await openerByConvention(registry, scheme, sources.folder)) ??
    unknownScheme(registry, scheme)
  );
}

async function openerOfInstallable<Opener extends UrlOpener>(
  registry: UrlRegistry<Opener>,
  scheme: string,
  { name, peers }: InstallablePackage,
  folder: string,
): Promise<Opener> {
  const module =
    (await importIfInstalled(() => import(name), name)) ??
    (await importIfInstalled(() => importFromFolder(folder, name), name));
  if (module === undefined) {
    throw new CommandFailure(
      `${registry.what} URLs with ${scheme}: need the package ${name}: run \`npm install ${[name, ...peers].join(" ")}\``,
    );
  }
  return openerOf(registry, module, name);
}

async function openerOfPlugins<Opener extends UrlOpener>(
  registry: UrlRegistry<Opener>,
  scheme: string,
  { plugins, folder }: PluginSources,
): Promise<Opener | undefined> {
  for (const plugin of plugins) {
    const module = await importIfInstalled(() => importFromFolder(folder, plugin), plugin);
    if (module === undefined) throw new UsageError(`plugin ${JSON.stringify(plugin)} is not installed in ${folder}`);
    // A plugin may be there for its logs, and this look-up be for a store.
    if (!hasExport(module, registry.exportName)) continue;
    const opener = openerOf(registry, module, plugin);
    if (opener.schemes.includes(scheme)) return opener;
  }
  return undefined;
}

async function openerByConvention<Opener extends UrlOpener>(
  registry: UrlRegistry<Opener>,
  scheme: string,
  folder: string,
): Promise<Opener | undefined> {
  const packageName = registry.packagePrefix + scheme.replaceAll("+", "-");
  const module = await importIfInstalled(() => importFromFolder(folder, packageName), packageName);
  return module === undefined ? undefined : openerOf(registry, module, packageName);
}

async function unknownScheme<Opener extends UrlOpener>(registry: UrlRegistry<Opener>, scheme: string): Promise<never> {
  const { closestMatch } = await import("leven");
  const known = [...Object.keys(registry.included), ...Object.keys(registry.installable)];
  // For a typing error no package is suggested: it might be anybody's.
  const near = closestMatch(scheme, known, { maxDistance: Math.min(2, Math.round(scheme.length / 3)) });
  const meant = near === undefined ? "" : `did you mean ${near}:? `;
  const install = near === undefined ? `install ${registry.packagePrefix}${scheme.replaceAll("+", "-")} or ` : "";
  throw new UsageError(
    `unknown ${registry.what} scheme ${JSON.stringify(`${scheme}:`)}: ${meant}known are ${known.map((name) => `${name}:`).join(", ")}; for another one ${install}name its package with --plugin`,
  );
}

async function importIfInstalled(load: () => Promise<unknown>, specifier: string): Promise<unknown> {
  try {
    return await load();
  } catch (error) {
    if (isNotInstalled(error, specifier)) return undefined;
    const missing = missingPackage(error);
    if (missing !== undefined) throw new CommandFailure(lacksText(specifier, missing), { cause: error });
    throw new CommandFailure(`${JSON.stringify(specifier)} could not be loaded: ${messageOf(error)}`, { cause: error });
  }
}

/** Says that a package is there and another that it needs is not. */
export function lacksText(packageName: string, missing: string): string {
  return `${JSON.stringify(packageName)} needs the package ${missing}, which is not installed: run \`npm install ${missing}\``;
}

function hasExport(module: unknown, name: string): module is Record<string, unknown> {
  return typeof module === "object" && module !== null && name in module;
}

function openerOf<Opener extends UrlOpener>(registry: UrlRegistry<Opener>, module: unknown, from: string): Opener {
  const opener: unknown = hasExport(module, registry.exportName) ? module[registry.exportName] : undefined;
  if (!isOpener(opener)) {
    throw new CommandFailure(
      `${JSON.stringify(from)} is not a ${registry.what} package: it does not export ${registry.exportName} with schemes, usage and open()`,
    );
  }
  return opener as Opener;
}

function isOpener(value: unknown): value is UrlOpener {
  if (typeof value !== "object" || value === null) return false;
  const { schemes, open } = value as Record<string, unknown>;
  return Array.isArray(schemes) && typeof open === "function";
}
