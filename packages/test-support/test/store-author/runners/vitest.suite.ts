import { describe, it } from "vitest";
import { declareMemorySuite } from "./memory-suite.ts";

declareMemorySuite({ describe, it });
