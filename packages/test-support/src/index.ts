export { createMemorySource, type MemorySource } from "./memory-source/memory-source.ts";
export { PROGRAM_OPTIONS } from "./program-options.ts";
export { TEST_EFFORT } from "./test-effort.ts";
