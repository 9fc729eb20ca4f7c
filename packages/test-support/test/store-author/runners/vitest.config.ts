import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@tidemark/source"] },
  ssr: { resolve: { conditions: ["@tidemark/source"], externalConditions: ["@tidemark/source"] } },
  test: { include: ["vitest.suite.ts"] },
});
