#!/usr/bin/env node
import module from "node:module";

// An older Node would end with a stack at the first thing that it lacks.
if ("registerHooks" in module) {
  // Before anything else is loaded: what Node made of the sources at an earlier run starts in a third of the time.
  module.enableCompileCache();
  await import("./main.ts");
} else {
  process.stderr.write(`tidemark: needs Node 22.18, 24.11, 26 or later; this is ${process.version}\n`);
  process.exitCode = 1;
}
