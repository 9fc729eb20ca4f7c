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
    "```ts on-redis",
    "four();",
    "```",
  ].join("\n");
  expect(samplesOf(page)).toEqual([
    { line: 5, runs: true, server: undefined, text: "one();\n\ntwo();\n" },
    { line: 16, runs: false, server: undefined, text: "three();\n" },
    { line: 19, runs: true, server: "redis", text: "four();\n" },
  ]);
});
