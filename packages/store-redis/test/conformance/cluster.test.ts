import { testConformance } from "./test-conformance.ts";

await testConformance("redis-cluster", { kind: "cluster", RESP: 3 });
