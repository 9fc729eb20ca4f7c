import { expect, test } from "vitest";
import { samplesOf } from "../../src/packaging/markdown-samples.ts";

test("takes the ts fences of a page, and no others", () => {
  const page = [
    "# Page",
    "```sh",
    "npm install",
    "```",
    "```ts",
    "one();",
    "",
    "two();",
    "```",
    "text",
    "````md",
    "```ts",
    "within();",
    "```",
    "````",
    "```ts no-run",
    "three();",
    "```",
  ].join("\n");
  expect(samplesOf(page)).toEqual([
    { line: 5, runs: true, text: "one();\n\ntwo();\n" },
    { line: 16, runs: false, text: "three();\n" },
  ]);
});
