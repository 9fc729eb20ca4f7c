import { defineConfig } from "vitest/config";
import { ConformanceTable } from "./packages/test-support/src/servers/conformance-table.ts";
import { SpreadKits } from "./packages/test-support/src/servers/spread-kits.ts";

export default defineConfig({
  resolve: { conditions: ["@tidemark/source"] },
  ssr: { resolve: { conditions: ["@tidemark/source"], externalConditions: ["@tidemark/source"] } },
  test: {
    // .ci/run reads the counts from this file: they are the runner's own, whatever the terminal shows.
    reporters: process.env["CI"]
      ? ["default", ["json", { outputFile: "node_modules/.vitest/results.json" }], new ConformanceTable()]
      : ["default", new ConformanceTable()],
    // Servers are started when a test file first asks for one, once for the whole run.
    globalSetup: ["packages/test-support/src/servers/lend-servers.ts"],
    sequence: { sequencer: SpreadKits },
    // Most files wait for servers and processes of theirs: one at a time leaves a small machine idle. With all servers four keep it busy.
    maxWorkers: process.env["CI"] ? 4 : 6,
    // The cases of the kit spend most of their time waiting for a server's clock.
    maxConcurrency: 5,
    // What hangs fails; what is slow on a busy machine does not.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // A second, the default, is short where many files share two slow cores.
    expect: { poll: { timeout: 60_000 } },
    // A process for each file takes a tenth of the whole run: to start it, and to load everything in it.
    isolate: false,
    // Each test gives back what it replaces. One that fails before may not, and the next file shares its process.
    restoreMocks: true,
    unstubEnvs: true,
    include: [
      "packages/*/test/**/*.test.ts",
      "benchmarks/test/**/*.test.ts",
      "examples/test/**/*.test.ts",
      "site/test/**/*.test.ts",
    ],
  },
});
