import { testConformance } from "./test-conformance.ts";

await testConformance("redis", { kind: "single", RESP: 3 });
