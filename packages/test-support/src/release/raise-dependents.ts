// Adds a changeset for what the others break without naming it. Run before `changeset version`.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { publicPackages, rootFolder } from "../packaging/workspace.ts";
import { dependentsOfBreaks, plannedReleases } from "./dependents-of-breaks.ts";

const folder = join(rootFolder, ".changeset");
const texts = readdirSync(folder)
  .filter((name) => name.endsWith(".md") && name !== "README.md")
  .map((name) => readFileSync(join(folder, name), "utf8"));
const manifests = publicPackages().map(({ manifest }) => manifest);
const raised = [...dependentsOfBreaks(manifests, plannedReleases(texts))];
if (raised.length > 0) {
  const lines = raised.map(([name, type]) => `"${name}": ${type}`);
  const reason =
    "Made for the new versions of the packages that it needs, which are not compatible: update them together.";
  writeFileSync(join(folder, "dependents-of-breaks.md"), `---\n${lines.join("\n")}\n---\n\n${reason}\n`);
  process.stdout.write(`raised with what they need:\n${lines.join("\n")}\n`);
}
