import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { publicPackages, rootFolder } from "../../src/packaging/workspace.ts";

const packages = publicPackages();
const NODE = "^22.18.0 || ^24.11.0 || >=26.0.0";
/** Packages whose dependencies ask for more than ours do. */
const newerNode: Readonly<Record<string, string>> = {
  // The oldest Node 22 of its Kafka client.
  "source-kafka": "^22.22.0 || ^24.11.0 || >=26.0.0",
};
const repository = { type: "git", url: "git+https://github.com/tidemark-js/tidemark.git" };

describe.each(packages)("package $folderName", ({ folder, folderName, manifest }) => {
  const readme = (): string => readFileSync(join(folder, "README.md"), "utf8");

  test("is named after its folder, and says what it is", () => {
    expect(manifest.name).toBe(`@tidemark/${folderName}`);
    expect(manifest.description).toMatch(/^[A-Z].{20,}[^.]$/);
    expect(manifest.keywords).toContain("consumer-offset");
    expect(new Set(manifest.keywords).size).toBe(manifest.keywords?.length);
  });

  test("carries what a registry and a reader need", () => {
    expect(manifest).toMatchObject({
      license: "Apache-2.0",
      repository: { ...repository, directory: `packages/${folderName}` },
      homepage: `https://github.com/tidemark-js/tidemark/tree/main/packages/${folderName}#readme`,
      bugs: "https://github.com/tidemark-js/tidemark/issues",
      engines: { node: newerNode[folderName] ?? NODE },
      publishConfig: { access: "public" },
    });
  });

  test("is an ES module whose exports lead to what is built", () => {
    expect(manifest).toMatchObject({ type: "module", sideEffects: false });
    expect(manifest.files?.filter((pattern) => !pattern.startsWith("!") && !pattern.endsWith(".css"))).toEqual([
      "dist/**/*.js",
      "dist/**/*.d.ts",
    ]);
    const published = manifest.publishConfig?.exports ?? {};
    expect(Object.keys(published)).toEqual(Object.keys(manifest.exports ?? {}));
    expect(published["./package.json"]).toBe("./package.json");
    for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
      if (subpath === "./package.json") continue;
      const { "@tidemark/source": source, ...built } = target as Record<string, string>;
      expect(Object.keys(target as object), "the workspace's own condition goes first").toEqual([
        "@tidemark/source",
        "types",
        "default",
      ]);
      expect(existsSync(join(folder, source ?? "")), `${subpath}: ${source}`).toBe(true);
      const stem = source?.replace("./src/", "./dist/").replace(/\.ts$/, "");
      expect(built).toEqual({ types: `${stem}.d.ts`, default: `${stem}.js` });
      expect(published[subpath]).toEqual(built);
    }
  });

  test("has a README that says how to install and how to use it", () => {
    const text = readme();
    expect(text).toMatch(new RegExp(`^# @tidemark/${folderName}\n`));
    expect(text).toMatch(new RegExp(`npm install .*@tidemark/${folderName}\\b`));
    expect(text).toMatch(/```(ts|sh)\n/);
    expect(text.split("\n").length).toBeLessThan(200);
  });

  test("depends on no sibling that it may not know", () => {
    const all = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    const allowed = folderName === "core" ? [] : ["@tidemark/core"];
    const siblings = all.filter((name) => name.startsWith("@tidemark/"));
    // The command line alone brings the stores and logs together.
    expect(folderName === "cli" ? ["@tidemark/core"] : siblings).toEqual(allowed);
    // Nobody gets anything along with core: what its kit for models needs is the caller's own.
    const meta = manifest.peerDependenciesMeta ?? {};
    expect(folderName === "core" ? all.filter((name) => meta[name]?.optional !== true) : []).toEqual([]);
  });
});

describe("versions", () => {
  test("every package was released before, or is in a changeset", () => {
    const folder = join(rootFolder, ".changeset");
    const changesets = readdirSync(folder)
      .filter((name) => name.endsWith(".md") && name !== "README.md")
      .map((name) => readFileSync(join(folder, name), "utf8"))
      .join("\n");
    const uncovered = packages
      .filter(({ manifest }) => manifest.version === "0.0.0" && !changesets.includes(`"${manifest.name}": `))
      .map(({ folderName }) => folderName);
    expect(uncovered).toEqual([]);
  });

  test("every version is told in its changelog", () => {
    const untold = packages
      .filter(({ manifest }) => manifest.version !== "0.0.0")
      .filter(({ folder, manifest }) => {
        const changelog = join(folder, "CHANGELOG.md");
        return !existsSync(changelog) || !readFileSync(changelog, "utf8").includes(`\n## ${manifest.version}\n`);
      })
      .map(({ folderName }) => folderName);
    expect(untold).toEqual([]);
  });
});
