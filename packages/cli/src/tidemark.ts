#!/usr/bin/env node
import { enableCompileCache } from "node:module";

// Before anything else is loaded: what Node made of the sources at an earlier run starts in a third of the time.
enableCompileCache();
await import("./main.ts");
