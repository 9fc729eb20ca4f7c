#!/usr/bin/env node
import module from "node:module";

// An older Node would end with a stack at the first thing that it lacks.
if ("registerHooks" in module) {
  const { runConformance } = await import("./command.ts");
  process.exitCode = await runConformance(process.argv.slice(2));
} else {
  process.stderr.write(`tidemark-conformance: needs Node 22.18, 24.11, 26 or later; this is ${process.version}\n`);
  process.exitCode = 1;
}
