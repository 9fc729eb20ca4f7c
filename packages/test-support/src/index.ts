export { createMemorySource, type MemorySource } from "./memory-source/memory-source.ts";
