import { testConformance } from "./test-conformance.ts";

await testConformance("redis-newest", { kind: "single", RESP: 3 });
