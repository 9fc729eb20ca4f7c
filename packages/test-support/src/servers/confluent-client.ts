import { existsSync } from "node:fs";
import { join } from "node:path";
import { serverCache } from "./find-program.ts";
import { howToGet } from "./find-server-program.ts";
import { requireServer, serversAreRequired } from "./require-server.ts";

const FOLDER_VARIABLE = "TIDEMARK_TEST_CONFLUENT_FOLDER";

/**
 * Declares tests that need Confluent's client with its binary: `define` gets a folder from which a program can import it.
 * Where nobody has built it they are skipped, and the run says so in one line; in CI that is a failure.
 */
export async function describeWithConfluentClient(define: (folder: string) => Promise<void>): Promise<void> {
  // Only a file that vitest runs can import it; this module may be loaded elsewhere.
  const { describe, it } = await import("vitest");
  const named = process.env[FOLDER_VARIABLE];
  const folder = named ?? join(serverCache(), "confluent");
  if (existsSync(join(folder, named === undefined ? ".complete" : "node_modules"))) return define(folder);
  const missing = `Confluent's client was not tested: ${howToGet("confluent", FOLDER_VARIABLE)}`;
  if (serversAreRequired()) it("needs Confluent's client", () => requireServer({ name: "kafka", missing }));
  else describe.skip(missing, () => it("needs Confluent's client", () => undefined));
  return undefined;
}
