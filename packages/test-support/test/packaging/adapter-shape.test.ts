import { readFileSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogUrlOpener, StoreUrlOpener } from "@tidemark/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { runCommand } from "../../src/packaging/run-command.ts";
import { publicPackages, rootFolder, type WorkspacePackage } from "../../src/packaging/workspace.ts";

/** What every package of one kind has in common, so that who knows one knows all. */
interface Kind {
  readonly prefix: string;
  readonly factory: RegExp;
  readonly urlOpener: "storeUrl" | "logUrl";
  readonly sections: readonly string[];
  /** Lines of TypeScript that do not compile if a package's types differ. */
  types(names: { readonly factory: string; readonly options: string; readonly opened: string }): readonly string[];
}

const KINDS: readonly Kind[] = [
  {
    prefix: "store-",
    factory: /^(?:create|open)(\w+Store)$/,
    urlOpener: "storeUrl",
    sections: ["## Install", "## Use", "## Options", "## What survives what"],
    types: ({ factory, options }) => [
      'import type { OffsetStore, StoreUrlOpener } from "@tidemark/core";',
      'import type { OffsetStoreOptions } from "@tidemark/core/driver";',
      `export const isStore: OffsetStore<any> = {} as Awaited<ReturnType<typeof ${factory}>>;`,
      "export const isOpener: StoreUrlOpener = storeUrl;",
      `export const common: Same<Pick<${options}, keyof OffsetStoreOptions>, OffsetStoreOptions> = true;`,
    ],
  },
  {
    prefix: "source-",
    factory: /^open(\w+Log)$/,
    urlOpener: "logUrl",
    sections: ["## Install", "## Use", "## Options", "## What you get"],
    types: ({ factory, opened }) => [
      'import type { LogAdmin, LogProducer, LogSource, LogUrlOpener } from "@tidemark/core";',
      `export const isLog: Same<Awaited<ReturnType<typeof ${factory}>>, ${opened}> = true;`,
      `export const isSource: LogSource & { admin: LogAdmin; producer: LogProducer } = {} as ${opened};`,
      `export const removes: (topic: string, partition: number, before: bigint) => Promise<bigint> = ({} as ${opened}).deleteRecords;`,
      "export const isOpener: LogUrlOpener = logUrl;",
    ],
  },
];

const adapters = KINDS.flatMap((kind) =>
  publicPackages()
    .filter(({ folderName }) => folderName.startsWith(kind.prefix))
    .map((workspacePackage) => ({ kind, workspacePackage, name: workspacePackage.manifest.name ?? "" })),
);

async function exportsOf({ kind, name }: (typeof adapters)[number]) {
  const exported = (await import(name)) as Record<string, unknown>;
  const factories = Object.keys(exported).filter((key) => kind.factory.test(key));
  expect(factories).toHaveLength(1);
  const [factory = ""] = factories;
  const opened = kind.factory.exec(factory)?.[1] ?? "";
  return { exported, factory, opened, options: `${opened}Options` };
}

function readmeOf({ folder }: WorkspacePackage): string {
  return readFileSync(join(folder, "README.md"), "utf8");
}

describe.each(adapters)("$name", (adapter) => {
  const { kind, workspacePackage } = adapter;

  test("exports a factory, and an opener of URLs that cannot be changed", async () => {
    const { exported } = await exportsOf(adapter);
    const opener = exported[kind.urlOpener] as StoreUrlOpener | LogUrlOpener;
    // Where opening would make a file, whoever only reads asks first.
    const { exists, ...rest } = opener as StoreUrlOpener;
    expect(exists === undefined || typeof exists === "function").toBe(true);
    expect(rest).toEqual({
      schemes: expect.arrayContaining([expect.stringMatching(/^[a-z0-9+]+$/)]) as unknown,
      usage: expect.any(String) as unknown,
      open: expect.any(Function) as unknown,
    });
    expect(opener.schemes.some((scheme) => opener.usage.startsWith(scheme))).toBe(true);
    expect(Object.isFrozen(opener) && Object.isFrozen(opener.schemes)).toBe(true);
  });

  test("refuses another's URL and options that it does not know, with a TypeError", async () => {
    const { exported, factory } = await exportsOf(adapter);
    const opener = exported[kind.urlOpener] as StoreUrlOpener | LogUrlOpener;
    await expect(opener.open("another-kind:thing")).rejects.toBeInstanceOf(TypeError);
    const open = exported[factory] as (options: object) => unknown;
    const refusal: unknown = await (async () => open({ namespacee: "mistyped" }))().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(TypeError);
    expect(String(refusal)).toContain("namespacee");
  });

  test("has a README with the same sections in the same order, its URLs, and what is generated", () => {
    const readme = readmeOf(workspacePackage);
    const headings = readme.match(/^## .*/gm)?.filter((heading) => kind.sections.includes(heading));
    expect(headings).toEqual(kind.sections);
    expect(readme).toContain("## Options\n\n[All options, with their types and defaults](../../docs/options.md#");
    if (kind.prefix === "store-") expect(readme).toContain("<!-- capabilities -->");
  });

  test("tells in its README each URL's scheme", async () => {
    const { exported } = await exportsOf(adapter);
    const { schemes } = exported[kind.urlOpener] as StoreUrlOpener | LogUrlOpener;
    for (const scheme of schemes) expect(readmeOf(workspacePackage)).toContain(`${scheme}:`);
  });
});

test("the types of all are of one shape", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-shapes-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await symlink(join(rootFolder, "node_modules"), join(folder, "node_modules"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  for (const adapter of adapters) {
    const { kind, workspacePackage, name } = adapter;
    const { factory, opened, options } = await exportsOf(adapter);
    const types = kind.prefix === "store-" ? options : `${opened}, type ${options}`;
    const lines = [
      `import { ${factory}, type ${types}, ${kind.urlOpener} } from "${name}";`,
      ...kind.types({ factory, options, opened }),
      "type Same<A, B> = [A, B] extends [B, A] ? true : never;",
      `export const given: Same<NonNullable<Parameters<typeof ${factory}>[0]>, ${options}> = true;`,
    ];
    await writeFile(join(folder, `${workspacePackage.folderName}.ts`), lines.join("\n"));
  }
  const config = {
    extends: join(rootFolder, "tsconfig.base.json"),
    compilerOptions: { noEmit: true },
    include: ["*.ts"],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { code, output } = await runCommand(join(rootFolder, "node_modules/.bin/tsc"), ["-p", "."], { cwd: folder });
  expect({ code, output }).toEqual({ code: 0, output: "" });
});
