import { testOffsetStore } from "@tidemark/core/conformance";
import { describe, it } from "vitest";
import { createMemoryHarness } from "./memory-harness.ts";

testOffsetStore({ describe, it }, createMemoryHarness());
