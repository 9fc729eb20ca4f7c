import { kafkaLeadersOf, launchOrSkip, placeKafkaTopic } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished, vi } from "vitest";
import { createWorkspace, numberedLines } from "../support/workspace.ts";

it("a partition without a leader hides its own lag only, also if its broker is asked first and silent", async ({
  skip,
}) => {
  const server = await launchOrSkip("kafka-apart", skip);
  onTestFinished(() => server.stop());
  const [silent, other] = server.nodes;
  await placeKafkaTopic(server.urls, "orders", [[1], [2]]);
  await using workspace = await createWorkspace({
    TIDEMARK_LOG: `kafka://${server.urls.map((url) => new URL(url).host).join(",")}`,
  });
  const { out } = workspace;
  await out("produce orders --partition 1", numberedLines(1, 5));
  await out("consumer import --execute --consumer billing", "orders,0,2\norders,1,2\n");

  silent?.pause();
  // The client of the tests refuses a topic with such a partition.
  const refusal = () => kafkaLeadersOf(other?.url ?? "", "orders").catch(String);
  await vi.waitUntil(async () => typeof (await refusal()) === "string", { timeout: 60_000 });
  const listed = await workspace.run(["consumer", "list", "--partitions", "-O", "json"]);
  expect(listed.stderr).toBe(
    'warning: no lag is shown on topic "orders" (partition 0): the log did not answer within 5 s\n',
  );
  const positions = JSON.parse(listed.stdout) as readonly { readonly partition: number; readonly lag?: string }[];
  expect(positions.map(({ partition, lag }) => [partition, lag])).toEqual([
    [0, undefined],
    [1, "3"],
  ]);
});
