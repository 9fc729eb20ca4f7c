import type { Manifest } from "../packaging/workspace.ts";

/** How a changeset raises a package. */
export type ReleaseType = "major" | "minor" | "patch";

/** What the changesets raise, by the package's name; of several, the highest. */
export type PlannedReleases = ReadonlyMap<string, ReleaseType>;

const RANKS: Readonly<Record<ReleaseType, number>> = { patch: 1, minor: 2, major: 3 };

/** A line of a changeset's head, as YAML allows it. `none` raises nothing. */
const RELEASE = /^["']?(?<name>[^"':]+)["']?\s*:\s*["']?(?<type>major|minor|patch|none)["']?\s*$/;

/** Reads what changesets raise from their texts. Throws if it cannot: what is not seen would break dependents unnoticed. */
export function plannedReleases(changesets: readonly string[]): PlannedReleases {
  const planned = new Map<string, ReleaseType>();
  for (const text of changesets) {
    const [, ...lines] = text.split(/\r?\n/);
    for (const line of lines.slice(0, lines.indexOf("---"))) {
      if (/^\s*(?:#.*)?$/.test(line)) continue;
      const { name, type } = RELEASE.exec(line)?.groups ?? {};
      if (name === undefined) throw new Error(`what does this line of a changeset raise? ${JSON.stringify(line)}`);
      if (type === "none") continue;
      const release = type as ReleaseType;
      if (RANKS[release] > RANKS[planned.get(name) ?? "patch"] || !planned.has(name)) planned.set(name, release);
    }
  }
  return planned;
}

/**
 * The packages that a planned release breaks and that no changeset raises far enough, with how far they have to be raised.
 *
 * Changesets gives a dependent a patch, also where the range of its peer moves on: whoever has `^0.1.0` of both would then get
 * two that npm refuses to install together.
 */
export function dependentsOfBreaks(packages: readonly Manifest[], planned: PlannedReleases): PlannedReleases {
  const raised = new Map<string, ReleaseType>();
  const isBroken = ({ name = "", version = "" }: Manifest): boolean => {
    const release = raised.get(name) ?? planned.get(name);
    return release === "major" || (release === "minor" && version.startsWith("0."));
  };
  for (let before = -1; before < raised.size;) {
    before = raised.size;
    const broken = new Set(packages.filter(isBroken).map(({ name }) => name));
    for (const manifest of packages) {
      const needed = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
      if (isBroken(manifest) || !needed.some((name) => broken.has(name))) continue;
      raised.set(manifest.name ?? "", manifest.version?.startsWith("0.") === true ? "minor" : "major");
    }
  }
  return raised;
}
