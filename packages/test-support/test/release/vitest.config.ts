import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** The rehearsal of a release: apart from the tests, because it builds and installs everything anew. */
export default defineConfig({
  root: fileURLToPath(new URL("../../../../", import.meta.url)),
  resolve: { conditions: ["@tidemark/source"] },
  ssr: { resolve: { conditions: ["@tidemark/source"], externalConditions: ["@tidemark/source"] } },
  test: {
    reporters: process.env["CI"]
      ? ["default", ["json", { outputFile: "node_modules/.vitest/rehearsal.json" }]]
      : ["default"],
    include: ["packages/test-support/test/release/*.rehearsal.ts"],
    globalSetup: [
      "packages/test-support/src/servers/lend-servers.ts",
      "packages/test-support/test/release/first-release.ts",
    ],
    maxWorkers: 2,
    // Nothing is timed: a slow machine installs slowly.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
