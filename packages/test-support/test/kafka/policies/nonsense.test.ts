import type { OffsetResetPolicy } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeTopic, numbered, openLog } from "./kafka-topics.ts";
import { openConsumer, take } from "./observed-consumer.ts";
import { observe } from "./observed-log.ts";
import { watchedStore } from "./watched-store.ts";

type Answers = Partial<Record<"timestamp" | "adjustOffset", () => unknown>>;

const failing = (message: string) => () => {
  throw new Error(message);
};

/** What a policy answers for one of two partitions, how often it is asked for an offset, and what is said of it. */
const nonsense: readonly (readonly [what: string, answers: Answers, asked: number, message: RegExp])[] = [
  [
    "a negative offset",
    { adjustOffset: () => -1n },
    5,
    /^offset -1 of topic .* partition "0" is out of range: .* outside of the log 5 times instead of 1; see https:/,
  ],
  ["an offset below the log", { adjustOffset: () => 3n }, 5, /^offset 3 .* has offsets from 4 to 10; .*"mine" chose/],
  [
    "an offset beyond the end",
    { adjustOffset: () => 11n },
    5,
    /^offset 11 .* has offsets from 4 to 10; .*"mine" chose/,
  ],
  ["an offset of more than 64 bits", { adjustOffset: () => 2n ** 64n }, 5, /^offset 18446744073709551616 .* 5 times/],
  [
    "a number",
    { adjustOffset: () => 4 },
    1,
    /^reset policy "mine" failed .* partition "0": .* a bigint, not number 4$/,
  ],
  ["NaN", { adjustOffset: () => Number.NaN }, 1, /a bigint, not number NaN$/],
  ["nothing", { adjustOffset: () => undefined }, 1, /a bigint, not undefined undefined$/],
  [
    "a promise that rejects",
    { adjustOffset: async () => failing("later")() },
    1,
    /must be synchronous, and returned a promise$/,
  ],
  ["a promise that never settles", { adjustOffset: () => new Promise(() => undefined) }, 1, /returned a promise$/],
  ["an error", { adjustOffset: failing("no idea") }, 1, /^reset policy "mine" failed on topic .* "0": no idea$/],
  ["NaN as timestamp", { timestamp: () => Number.NaN }, 0, /whole milliseconds since the epoch, not number NaN$/],
  [
    "a timestamp of its own invention",
    { timestamp: () => -3 },
    0,
    /whole milliseconds since the epoch, not number -3$/,
  ],
  ["a Date as timestamp", { timestamp: () => new Date() }, 0, /whole milliseconds since the epoch, not an object$/],
  ["an offset as timestamp", { timestamp: () => 4n }, 0, /whole milliseconds since the epoch, not bigint 4$/],
  [
    "a promise as timestamp",
    { timestamp: async () => failing("later")() },
    0,
    /must be synchronous, and returned a promise$/,
  ],
  [
    "an error as timestamp",
    { timestamp: failing("no idea") },
    0,
    /^reset policy "mine" failed on topic .* "0": no idea$/,
  ],
];

await describeWithServer("kafka", (server) => {
  let log: KafkaLog;
  let topic: string;
  beforeAll(async () => {
    log = await openLog(server);
    topic = await makeTopic(server, log, 2);
    for (const partition of [0, 1]) await log.producer.produce(topic, partition, numbered(10));
    await log.deleteRecords(topic, 0, 4n);
    // An end of its own tells the policy's second method which partition it is asked about.
    await log.deleteRecords(topic, 1, 5n);
  });
  afterAll(() => log.close());

  it.each(nonsense)("a policy that answers with %s", async (_what, answers, asked, message) => {
    let times = 0;
    const resetPolicy: OffsetResetPolicy = {
      name: "mine",
      timestamp: ({ partition }) => (partition === 0 && answers.timestamp ? (answers.timestamp() as number) : -2),
      adjustOffset: (_last, next) => {
        if (next === 5n) return next;
        times += 1;
        return answers.adjustOffset ? (answers.adjustOffset() as bigint) : next;
      },
    };
    const observed = observe(log);
    const watched = watchedStore();
    await watched.put(topic, 1n, [0, 1]);
    const { consumer, resets } = await openConsumer({ source: observed.source, topic, resetPolicy }, watched);
    const seen: string[] = [];
    const loop = async (): Promise<void> => {
      for await (const { partition, offset } of consumer) seen.push(`${partition}/${offset}`);
    };
    const startedAt = performance.now();
    await expect(loop()).rejects.toThrow(message);
    expect(times).toBe(asked);
    // Each further attempt comes after a pause, and asks the log anew.
    if (asked === 5) expect(performance.now() - startedAt).toBeGreaterThan(25 + 50 + 100 + 200);
    // Looked up together, unless the machine stood still between the two refusals.
    const attempts = Array.from({ length: Math.max(1, asked) }, () => 0);
    expect(observed.lookups.flat().toSorted((a, b) => a - b)).toEqual([...attempts, 1]);
    expect(observed.refused).toEqual([1n, 1n]);
    // The other partition went on for as long as that took, and what it committed is stored.
    expect(seen).toEqual(["1/5", "1/6", "1/7", "1/8", "1/9"].slice(0, seen.length));
    expect(resets()).toMatchObject([{ partition: 1, from: 1n, to: 5n, skipped: 4n }]);
    expect(await watched.position(topic, 0)).toBe(1n);
    expect(await watched.position(topic, 1)).toBe(5n + BigInt(seen.length));
    await consumer.close();
  });

  it("a moment: the first record not older, the log's first one where that is gone, the end where none is that late", async () => {
    const nowMs = Date.now();
    const timed = await makeTopic(server, log);
    await log.producer.produce(
      timed,
      0,
      numbered(10, (index) => nowMs - 10_000 + index * 1_000),
    );
    await log.deleteRecords(timed, 0, 4n);
    for (const [timestamp, to] of [
      [nowMs - 3_000, 7n],
      [nowMs - 3_001, 7n],
      [nowMs - 2_999, 8n],
      [nowMs - 9_000, 4n],
      [0, 4n],
      [nowMs, 10n],
      [Number.MAX_SAFE_INTEGER, 10n],
    ] as const) {
      const watched = watchedStore();
      await watched.put(timed, 1n);
      const { consumer, resets, reset } = await openConsumer(
        { source: log, topic: timed, resetPolicy: { name: "moment", timestamp: () => timestamp }, untilEnd: true },
        watched,
      );
      const seen = await take(consumer, 100);
      await reset(1);
      expect(seen).toEqual([4n, 5n, 6n, 7n, 8n, 9n].filter((offset) => offset >= to));
      expect(resets()).toMatchObject([{ from: 1n, to, skipped: to - 1n }]);
      await consumer.close();
    }
  });
});
