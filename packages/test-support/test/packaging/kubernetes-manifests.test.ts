import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deployment, type IDeployment, type IStatefulSet, StatefulSet } from "kubernetes-models/apps/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Service } from "kubernetes-models/v1";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { runCommand } from "../../src/packaging/run-command.ts";
import { rootFolder } from "../../src/packaging/workspace.ts";

/** What the pages show, by kind: the module with its type, and how its schema checks it. */
const KINDS = {
  Deployment: { module: "kubernetes-models/apps/v1", check: Deployment },
  StatefulSet: { module: "kubernetes-models/apps/v1", check: StatefulSet },
  PodDisruptionBudget: { module: "kubernetes-models/policy/v1", check: PodDisruptionBudget },
  Service: { module: "kubernetes-models/v1", check: Service },
} as const;

interface Manifest {
  readonly apiVersion: string;
  readonly kind: keyof typeof KINDS;
  readonly metadata: { readonly name: string };
}

/** What a session waits for at most before it lets go of a partition. */
const REVOKE_TIMEOUT_S = 60;

const page = await readFile(join(rootFolder, "docs/production.md"), "utf8");
const manifests = [...page.matchAll(/^```yaml kubernetes\n(?<text>.*?)^```$/gms)].flatMap(({ groups }) =>
  parseAllDocuments(groups?.["text"] ?? "").map((document) => document.toJS() as Manifest),
);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidemark-manifests-"));
  await symlink(join(rootFolder, "packages/test-support/node_modules"), join(folder, "node_modules"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The complaints of the compiler about manifests that are written as typed literals: it knows every field, and no other. */
async function complaintsAbout(given: readonly Manifest[]): Promise<string> {
  const lines = given.flatMap((manifest, index) => [
    `import type { I${manifest.kind} as Kind${index} } from "${KINDS[manifest.kind].module}";`,
    `export const manifest${index}: Kind${index} = ${JSON.stringify(manifest)};`,
  ]);
  await writeFile(join(folder, "manifests.ts"), lines.join("\n"));
  const options = { noEmit: true, strict: true, module: "nodenext", target: "es2024", types: [], skipLibCheck: true };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["manifests.ts"] }));
  return (await runCommand(join(rootFolder, "node_modules/.bin/tsc"), ["-p", "."], { cwd: folder })).output;
}

describe("the manifests of docs/production.md", () => {
  test.each(manifests)("$kind $metadata.name keeps to the schema of Kubernetes", ({ ...manifest }) => {
    const { check: Kind } = KINDS[manifest.kind];
    expect(() => new Kind(manifest as never).validate()).not.toThrow();
  });

  test("have no field that Kubernetes does not know", async () => {
    expect(manifests.map(({ kind }) => kind).sort()).toEqual([
      "Deployment",
      "Deployment",
      "PodDisruptionBudget",
      "Service",
      "StatefulSet",
    ]);
    expect(await complaintsAbout(manifests)).toBe("");
  });

  test("would be complained about otherwise", async () => {
    const [first] = manifests;
    const misspelt = { ...first, spec: { ...(first as IDeployment).spec, replica: 3 } } as Manifest & IDeployment;
    expect(await complaintsAbout([misspelt])).toMatch(/replica\b.*does not exist/);
    const wrong = { ...first, spec: { ...(first as IDeployment).spec, replicas: "3" } };
    expect(() => new Deployment(wrong as never).validate()).toThrow("replicas must be integer");
  });

  test("give a pod longer than a consumer waits for what is in hand, and the program what it reads", () => {
    const pods = manifests
      .filter(({ kind, metadata }) => metadata.name === "mailer" && (kind === "Deployment" || kind === "StatefulSet"))
      .map((manifest) => (manifest as Manifest & (IDeployment | IStatefulSet)).spec?.template.spec);
    expect(pods.length).toBe(2);
    for (const pod of pods) expect(pod?.terminationGracePeriodSeconds).toBeGreaterThan(REVOKE_TIMEOUT_S);
    const given = pods[0]?.containers[0]?.env?.map(({ name }) => name).sort();
    const read = ["BROKERS", "PORT", "POSTGRES_URL"];
    expect(given).toEqual(read);
    for (const name of read) expect(page).toMatch(new RegExp(`${name} = |env\\["${name}"\\]`));
  });
});
