import { testOffsetResetPolicy } from "@tidemark/core/conformance";
import { atTimestamp, byDuration, earliest, lastOffset, latest, nearest, none } from "@tidemark/reset-policies";
import { describe, it } from "vitest";

const runner = { describe, it };

testOffsetResetPolicy(runner, { name: "earliest", create: earliest });
testOffsetResetPolicy(runner, { name: "latest", create: latest });
testOffsetResetPolicy(runner, { name: "last-offset", create: lastOffset });
testOffsetResetPolicy(runner, { name: "nearest", create: nearest });
testOffsetResetPolicy(runner, { name: "none", create: none });
testOffsetResetPolicy(runner, { name: "at_timestamp, long ago", create: () => atTimestamp(0) });
testOffsetResetPolicy(runner, {
  name: "at_timestamp, within",
  create: () => atTimestamp(new Date("2026-01-01T00:00:30Z")),
});
testOffsetResetPolicy(runner, { name: "at_timestamp, to come", create: () => atTimestamp(new Date("2999-01-01")) });
testOffsetResetPolicy(runner, { name: "by_duration", create: () => byDuration("PT1H") });
