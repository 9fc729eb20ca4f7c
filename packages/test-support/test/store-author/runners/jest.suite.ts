import { describe, it } from "@jest/globals";
import { declareMemorySuite } from "./memory-suite.ts";

declareMemorySuite({ describe, it });
