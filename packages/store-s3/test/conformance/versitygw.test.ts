import { runConformance } from "../support/run-conformance.ts";

await runConformance("versitygw");
