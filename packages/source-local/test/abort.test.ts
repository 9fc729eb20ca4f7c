import { expect, it } from "vitest";
import { temporaryLog } from "./fixtures/log-folder.ts";

const topic = "t";

it("ends a waiting fetch at once, however early the abort comes (contract 7.5)", async () => {
  const { log } = await temporaryLog();
  await log.admin.createTopic(topic, { partitions: 1 });
  for (let turns = 0; turns < 12; turns += 1) {
    const controller = new AbortController();
    const { signal } = controller;
    // Longer than a test may take: only the abort can end it.
    const fetching = log.fetch({ topic, partition: 0, offset: 0n, maxBytes: 1_000, maxWait: 600_000, signal });
    const ended = fetching.catch((reason: unknown) => reason);
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    controller.abort("stop");
    expect(await ended).toBe("stop");
  }
});

it("refuses a topic setting that it does not know (contract 7.1)", async () => {
  const { log } = await temporaryLog();
  const config = { partitions: 1, retention: 5 };
  await expect(log.admin.createTopic(topic, config)).rejects.toThrow(/no setting "retention"/);
  await log.admin.createTopic(topic, { partitions: 1 });
  await expect(log.admin.alterTopic(topic, { consumerTTL: 5 } as object)).rejects.toThrow(/no setting "consumerTTL"/);
});
