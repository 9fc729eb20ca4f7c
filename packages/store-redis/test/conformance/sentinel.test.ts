import { testConformance } from "./test-conformance.ts";

await testConformance("redis-sentinel", { kind: "sentinel", RESP: 2 });
