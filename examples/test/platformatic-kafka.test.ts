import { platformaticExamples } from "./fixtures/client-examples.ts";
import { declareClientTests, declareSharingTests } from "./fixtures/declare-client-tests.ts";
import { describeWithServers } from "./fixtures/describe-with-servers.ts";

await describeWithServers((servers) => {
  declareClientTests(servers, platformaticExamples);
  declareSharingTests(servers, platformaticExamples);
});
