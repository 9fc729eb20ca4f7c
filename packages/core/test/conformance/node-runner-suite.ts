import { describe, it } from "node:test";
import { testOffsetStore } from "@tidemark/core/conformance";
import { testStoreModel } from "@tidemark/core/conformance/model";
import { createMemoryHarness } from "./memory-harness.ts";

testOffsetStore({ describe, it }, createMemoryHarness());
testStoreModel({ describe, it }, createMemoryHarness());
