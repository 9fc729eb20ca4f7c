import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { storeConformanceCases } from "@tidemark/core/conformance";
import { describe, it } from "vitest";

const contract = readFileSync(new URL("../../../../docs/contract.md", import.meta.url), "utf8");
const clauses = [...contract.matchAll(/^- \*\*(\d+\.\d+[a-z]?)\*\* /gm)].map(([, id = ""]) => id);

describe("the contract and the store cases", () => {
  it("names each clause once", () => {
    assert.ok(clauses.length > 50);
    assert.deepEqual(clauses, [...new Set(clauses)]);
  });

  it("has a case for every clause of section 3", () => {
    const proven = new Set(storeConformanceCases.map(({ clause }) => clause));
    assert.deepEqual(
      clauses.filter((clause) => clause.startsWith("3.") && !proven.has(clause)),
      [],
    );
  });

  it("has a clause for every case", () => {
    assert.deepEqual(
      storeConformanceCases.filter(({ clause }) => !clauses.includes(clause)).map(({ id }) => id),
      [],
    );
  });

  it("gives every case an id of its own", () => {
    const ids = storeConformanceCases.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)]);
    for (const id of ids) assert.match(id, /^[a-z0-9]+\/[a-z0-9-]+$/);
  });
});
