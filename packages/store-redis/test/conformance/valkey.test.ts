import { testConformance } from "./test-conformance.ts";

await testConformance("valkey", { kind: "single", RESP: 3 });
