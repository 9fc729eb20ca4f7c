import { describe, it } from "node:test";
import { testOffsetStore } from "@tidemark/core/conformance";
import { createMemoryHarness } from "./memory-harness.ts";

testOffsetStore({ describe, it }, createMemoryHarness());
