import { describe, it } from "node:test";
import { declareMemorySuite } from "./memory-suite.ts";

declareMemorySuite({ describe, it });
