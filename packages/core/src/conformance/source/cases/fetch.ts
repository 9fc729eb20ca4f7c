import { assert } from "../../assert.ts";
import { fetchOf, PATIENCE_MS, readRecords, rejectionOf, textOf, textRecord } from "../reading.ts";
import type { SourceConformanceCase } from "../source-case.ts";

const FAR = 2n ** 53n + 1n;

/** What a fetch gives, in which order and how much of it. */
export const fetchCases: readonly SourceConformanceCase[] = [
  {
    id: "fetch/order",
    clause: "7.2",
    title: "every record comes once, in the order of offsets, with fetches of any size",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const texts = Array.from({ length: 250 }, (_, index) => `record ${index}`);
      for (let at = 0; at < texts.length; at += 50)
        await opened.produce(
          topic,
          0,
          texts.slice(at, at + 50).map((text) => textRecord(text)),
        );
      for (const maxBytes of [1, 300, 1_048_576]) {
        const records = await readRecords(source, topic, texts.length, { maxBytes });
        assert.deepEqual(records.map(textOf), texts);
        assert.deepEqual(
          records.map(({ offset }) => offset),
          texts.map((_, index) => BigInt(index)),
        );
      }
    },
  },
  {
    id: "fetch/middle",
    clause: "7.2",
    title: "a fetch begins at exactly the offset asked for, and gives the end of the log",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(
        topic,
        0,
        ["a", "b", "c", "d"].map((text) => textRecord(text)),
      );
      const result = await source.fetch(fetchOf(topic, { offset: 2n, maxWait: PATIENCE_MS }));
      assert.equal(result.records[0]?.offset, 2n);
      assert.equal(result.highWatermark, 4n);
      const records = await readRecords(source, topic, 2, { offset: 2n });
      assert.deepEqual(records.map(textOf), ["c", "d"]);
    },
  },
  {
    id: "fetch/max-bytes",
    clause: "7.2",
    title: "an answer holds no more than maxBytes of records, and the next one continues where it ended",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      for (let index = 0; index < 10; index += 1)
        await opened.produce(topic, 0, [{ value: new Uint8Array(1_000).fill(index) }]);
      const { records, nextOffset } = await source.fetch(fetchOf(topic, { maxBytes: 3_500, maxWait: PATIENCE_MS }));
      assert.ok(records.length >= 1 && records.length <= 3, `${records.length} records of 1,000 bytes in 3,500`);
      assert.equal(nextOffset, BigInt(records.length));
    },
  },
  {
    id: "fetch/large-first",
    clause: "7.2",
    title: "the first record comes even if it alone is larger than maxBytes",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(topic, 0, [{ value: new Uint8Array(50_000).fill(7) }]);
      await opened.produce(topic, 0, [textRecord("after")]);
      const { records, nextOffset } = await source.fetch(fetchOf(topic, { maxBytes: 1, maxWait: PATIENCE_MS }));
      assert.deepEqual(
        records.map(({ offset, value }) => [offset, value?.length]),
        [[0n, 50_000]],
      );
      assert.equal(nextOffset, 1n);
    },
  },
  {
    id: "fetch/gap",
    clause: "7.3",
    title: "offsets without a record are passed over: the records come with their own offsets",
    needs: ["advanceTo"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(topic, 0, [textRecord("a")]);
      await opened.advanceTo?.(topic, 0, 10n);
      await opened.produce(topic, 0, [textRecord("b")]);
      for (const [offset, expected] of [
        [0n, [0n, 10n]],
        [1n, [10n]],
        [9n, [10n]],
      ] as const) {
        const records = await readRecords(source, topic, expected.length, { offset });
        assert.deepEqual(
          records.map((record) => record.offset),
          expected,
        );
      }
    },
  },
  {
    id: "fetch/gap-at-end",
    clause: "7.3",
    title: "a fetch that finds only offsets without a record goes past them",
    needs: ["advanceTo"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(topic, 0, [textRecord("a")]);
      await opened.advanceTo?.(topic, 0, 10n);
      const { records, nextOffset, highWatermark } = await source.fetch(fetchOf(topic, { offset: 1n }));
      assert.deepEqual({ records, nextOffset, highWatermark }, { records: [], nextOffset: 10n, highWatermark: 10n });
    },
  },
  {
    id: "fetch/int64",
    clause: "7.3",
    title: "offsets beyond 2^53 are exact",
    needs: ["advanceTo", "advanceFar"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.advanceTo?.(topic, 0, FAR);
      await opened.produce(topic, 0, [textRecord("a", 1_000), textRecord("b", 2_000)]);
      const records = await readRecords(source, topic, 2, { offset: FAR });
      assert.deepEqual(
        records.map((record) => [record.offset, textOf(record)]),
        [
          [FAR, "a"],
          [FAR + 1n, "b"],
        ],
      );
      const listed = await source.listOffsets(topic, [
        { partition: 0, timestamp: -1 },
        { partition: 0, timestamp: 1_500 },
      ]);
      assert.deepEqual(
        listed.map(({ offset }) => offset),
        [FAR + 2n, FAR + 1n],
      );
    },
  },
  {
    id: "fetch/arguments",
    clause: "7.2",
    title: "arguments that make no sense are a TypeError or a RangeError",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const wrong = [
        { topic: "" },
        { topic: "x".repeat(256) },
        { topic: "\ud800" },
        { partition: -1 },
        { partition: 0.5 },
        { offset: -1n },
        { offset: 2n ** 63n },
        { offset: 0 as unknown as bigint },
        { maxBytes: 0 },
        { maxBytes: Number.NaN },
        { maxWait: -1 },
        { maxWait: Number.POSITIVE_INFINITY },
      ];
      for (const changes of wrong) {
        const error = await rejectionOf(source.fetch(fetchOf(topic, changes)));
        assert.ok(
          error instanceof TypeError || error instanceof RangeError,
          `${Object.keys(changes).join()} was answered with ${String(error)}`,
        );
      }
    },
  },
];
