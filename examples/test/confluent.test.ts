import { withConfluentExamples } from "./fixtures/client-examples.ts";
import { declareClientTests, declareSharingTests } from "./fixtures/declare-client-tests.ts";
import { describeWithServers } from "./fixtures/describe-with-servers.ts";

await withConfluentExamples((examples) =>
  describeWithServers((servers) => {
    declareClientTests(servers, examples);
    declareSharingTests(servers, examples);
  }),
);
