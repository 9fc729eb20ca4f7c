import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@tidemark/source"] },
  ssr: { resolve: { conditions: ["@tidemark/source"], externalConditions: ["@tidemark/source"] } },
  test: {
    // .ci/run reads the counts from this file: they are the runner's own, whatever the terminal shows.
    reporters: process.env["CI"]
      ? ["default", ["json", { outputFile: "node_modules/.vitest/results.json" }]]
      : ["default"],
    include: ["packages/*/test/**/*.test.ts", "benchmarks/test/**/*.test.ts"],
    // Servers are started when a test file first asks for one, once for the whole run.
    globalSetup: ["packages/test-support/src/servers/lend-servers.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
