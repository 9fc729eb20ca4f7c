import type { StoreUrlOpener } from "@tidemark/core";
import { expect, test } from "vitest";
import { storeRegistry } from "../../src/registry/store-registry.ts";
import { createWorkspace } from "../support/workspace.ts";

const { included, installable } = storeRegistry;

test("each scheme leads to a package that opens it, with the clients that the package asks for", async () => {
  for (const [scheme, load] of Object.entries(included)) expect((await load()).schemes).toContain(scheme);
  const schemes = new Set<string>();
  for (const [scheme, { name, peers }] of Object.entries(installable)) {
    const { storeUrl } = (await import(name)) as { storeUrl: StoreUrlOpener };
    expect(storeUrl.schemes).toContain(scheme);
    for (const known of storeUrl.schemes) schemes.add(known);
    const manifest = (await import(`${name}/package.json`, { with: { type: "json" } })) as {
      default: { peerDependencies: Record<string, string> };
    };
    expect(["@tidemark/core", ...peers].toSorted()).toEqual(Object.keys(manifest.default.peerDependencies).toSorted());
  }
  expect([...schemes].toSorted()).toEqual(Object.keys(installable).toSorted());
});

test("the help shows how each is written and what to install for it", async () => {
  await using workspace = await createWorkspace();
  const help = await workspace.out("--help");
  for (const scheme of [...Object.keys(included), ...Object.keys(installable)]) expect(help).toContain(`${scheme}:`);
  for (const { name, peers } of Object.values(installable)) {
    expect(help).toContain(`npm install ${[name, ...peers].join(" ")}\n`);
  }
});
