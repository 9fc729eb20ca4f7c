export { createMemorySource, type MemorySource } from "./memory-source/memory-source.ts";
export { TEST_EFFORT } from "./test-effort.ts";
