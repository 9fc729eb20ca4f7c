import { randomInt } from "node:crypto";
import { expect, it } from "vitest";
import { serversAreRequired } from "../../src/servers/index.ts";
import { runSharing } from "../../src/sharing-campaign/run-sharing.ts";

it("members of one name on a topic of Kafka that start, stop, are killed, frozen and cut off: nothing lost, nobody robbed (contract 8.5b, 8.6, 8.7)", async ({
  skip,
}) => {
  const seed = randomInt(2 ** 31);
  const result = await runSharing({ store: "redis", log: "kafka", seed, rounds: 6, partitions: 12, members: 3 });
  if ("missing" in result) {
    if (serversAreRequired()) throw new Error(result.missing);
    return skip(result.missing);
  }
  expect(result.violations, `seed ${seed}, journals in ${result.folder}`).toEqual([]);
  expect(result.records).toBeGreaterThan(100);
});
