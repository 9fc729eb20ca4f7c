import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import {
  driverConformanceCases,
  offsetResetPolicyCases,
  sourceConformanceCases,
  storeConformanceCases,
} from "@tidemark/core/conformance";
import { describe, it } from "vitest";

const contract = readFileSync(new URL("../../../../docs/contract.md", import.meta.url), "utf8");
const clauses = [...contract.matchAll(/^- \*\*(\d+\.\d+[a-z]?)\*\* /gm)].map(([, id = ""]) => id);

interface Proof {
  /** What a failure calls it. */
  readonly name: string;
  readonly clauses: readonly string[];
}

const kits = [
  { sections: ["3.", "8."], kit: "store", cases: storeConformanceCases },
  { sections: ["4."], kit: "driver", cases: driverConformanceCases },
  { sections: ["6."], kit: "policy", cases: offsetResetPolicyCases },
  { sections: ["7."], kit: "source", cases: sourceConformanceCases },
];

/** Whose every test has to name a clause: nothing but the contract is tested there. */
const OF_THE_CONTRACT = new Set(["session", "consumer"]);

const packages = fileURLToPath(new URL("../../../", import.meta.url));
const tests: Proof[] = [];
const nameless: string[] = [];
for await (const file of glob("*/test/**/*.test.ts", { cwd: packages, exclude: (name) => name === "node_modules" })) {
  // A piece for each test and each group of tests, with its title and its body.
  const pieces = readFileSync(`${packages}/${file}`, "utf8").split(/^(?= *(?:test|it|describe)(?:\.\w+)*[(<])/m);
  for (const piece of pieces.slice(1)) {
    // Titles end with it: what a comment says of a clause is no proof.
    const [, named] = /\(contract ([^()]+)\)["`]/.exec(piece) ?? [];
    const name = `${file}: ${piece.trim().split("\n", 1)[0]}`;
    if (named !== undefined) tests.push({ name, clauses: named.split(", ") });
    else if (file.startsWith("core/") && OF_THE_CONTRACT.has(basename(dirname(file)))) nameless.push(name);
  }
}

const cases: readonly Proof[] = kits.flatMap(({ kit, cases: all }) =>
  all.map(({ id, clause }) => ({ name: `${kit} case ${id}`, clauses: [clause] })),
);

describe("the contract and its proofs", () => {
  it("names each clause once", () => {
    assert.ok(clauses.length > 80);
    assert.deepEqual(clauses, [...new Set(clauses)]);
  });

  it("has a case or a test for every clause", () => {
    assert.ok(tests.length > 80, `only ${tests.length} tests that name a clause were found`);
    const proven = new Set([...cases, ...tests].flatMap((proof) => proof.clauses));
    assert.deepEqual(
      clauses.filter((clause) => !proven.has(clause)),
      [],
    );
  });

  it("has a clause for every case, and for every test that names one", () => {
    const unknown = [...cases, ...tests].filter((proof) => proof.clauses.some((clause) => !clauses.includes(clause)));
    assert.deepEqual(
      unknown.map(({ name, clauses: named }) => `${name} (${named.join(", ")})`),
      [],
    );
  });

  it("has the clauses without a case on the page for authors", () => {
    const page = readFileSync(new URL("../../../../docs/writing-a-store.md", import.meta.url), "utf8");
    const [, section = ""] = page.split("\n## What the kit does not ask\n");
    const told = [...section.matchAll(/^\| (\d[\d., a-z]*?) +\|/gm)].flatMap(([, named = ""]) => named.split(", "));
    const asked = new Set(kits[0]?.cases.map(({ clause }) => clause));
    const without = clauses.filter((clause) => /^[38]\./.test(clause) && !asked.has(clause));
    assert.deepEqual(told.toSorted(), without.toSorted());
  });

  it("is named by every test of the session and of the consumer", () => {
    assert.deepEqual(nameless, []);
  });

  for (const { sections, kit, cases: all } of kits) {
    it(`gives every ${kit} case a clause of section ${sections.join(" or ")} and an id of its own`, () => {
      assert.deepEqual(
        all.filter(({ clause }) => !sections.some((each) => clause.startsWith(each))).map(({ id }) => id),
        [],
      );
      const ids = all.map(({ id }) => id);
      assert.deepEqual(ids, [...new Set(ids)]);
      for (const id of ids) assert.match(id, /^(?:[a-z0-9-]+\/)?[a-z0-9-]+$/);
    });
  }
});
