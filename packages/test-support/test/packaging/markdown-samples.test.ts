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
    "```ts on-kafka on-redis",
    "four();",
    "```",
  ].join("\n");
  expect(samplesOf(page)).toEqual([
    { line: 5, runs: true, servers: [], text: "one();\n\ntwo();\n" },
    { line: 16, runs: false, servers: [], text: "three();\n" },
    { line: 19, runs: true, servers: ["kafka", "redis"], text: "four();\n" },
  ]);
});
