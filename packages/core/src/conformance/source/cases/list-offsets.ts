import { assert } from "../../assert.ts";
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, type RecordInput } from "../../../log-source.ts";
import { rejectionOf, textRecord } from "../reading.ts";
import type { SourceConformanceCase } from "../source-case.ts";

function at(...timestamps: number[]): RecordInput[] {
  return timestamps.map((timestampMs) => textRecord(`at ${timestampMs}`, timestampMs));
}

/** Where partitions stand. */
export const listOffsetsCases: readonly SourceConformanceCase[] = [
  {
    id: "list-offsets/ends",
    clause: "7.7",
    title: "-2 gives the first offset of the log, -1 the one after the last record",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const ends = [
        { partition: 0, timestamp: EARLIEST_TIMESTAMP },
        { partition: 0, timestamp: LATEST_TIMESTAMP },
      ];
      const offsets = async () => (await source.listOffsets(topic, ends)).map(({ offset }) => offset);
      assert.deepEqual(await offsets(), [0n, 0n]);
      await opened.produce(topic, 0, at(1_000, 2_000));
      assert.deepEqual(await offsets(), [0n, 2n]);
    },
  },
  {
    id: "list-offsets/time",
    clause: "7.7",
    title: "a time gives the first record that is not older; one later than all gives none",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(topic, 0, at(1_000, 2_000));
      await opened.produce(topic, 0, at(2_000, 3_000));
      for (const [timestamp, offset] of [
        [0, 0n],
        [1_000, 0n],
        [1_001, 1n],
        [2_000, 1n],
        [2_001, 3n],
        [3_000, 3n],
      ] as const) {
        const [listed] = await source.listOffsets(topic, [{ partition: 0, timestamp }]);
        assert.deepEqual([listed?.partition, listed?.offset], [0, offset]);
      }
      const [late] = await source.listOffsets(topic, [{ partition: 0, timestamp: 3_001 }]);
      assert.deepEqual(late, { partition: 0 });
    },
  },
  {
    id: "list-offsets/time-unordered",
    clause: "7.7",
    title: "where timestamps go back, the first offset whose record is not older counts",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      for (const timestamp of [1_000, 5_000, 2_000, 6_000, 3_000]) await opened.produce(topic, 0, at(timestamp));
      const times = [1_500, 5_000, 5_500, 6_001];
      const listed = await source.listOffsets(
        topic,
        times.map((timestamp) => ({ partition: 0, timestamp })),
      );
      assert.deepEqual(
        listed.map(({ offset }) => offset),
        [1n, 1n, 3n, undefined],
      );
    },
  },
  {
    id: "list-offsets/time-of-removed",
    clause: "7.7",
    title: "a time never gives a record that was removed",
    needs: ["deleteRecords"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(topic, 0, at(1_000, 9_000, 2_000, 4_000));
      await opened.deleteRecords?.(topic, 0, 2n);
      const listed = await source.listOffsets(
        topic,
        [0, 3_000, 5_000].map((timestamp) => ({ partition: 0, timestamp })),
      );
      assert.deepEqual(
        listed.map(({ offset }) => offset),
        [2n, 3n, undefined],
      );
    },
  },
  {
    id: "list-offsets/several",
    clause: "7.7",
    title: "several partitions are answered in one call, in the order asked",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(3);
      await opened.produce(topic, 2, at(1_000, 2_000));
      await opened.produce(topic, 0, at(1_000));
      const listed = await source.listOffsets(topic, [
        { partition: 2, timestamp: LATEST_TIMESTAMP },
        { partition: 0, timestamp: LATEST_TIMESTAMP },
        { partition: 1, timestamp: 500 },
        { partition: 2, timestamp: 1_500 },
      ]);
      assert.deepEqual(
        listed.map(({ partition, offset }) => [partition, offset]),
        [
          [2, 2n],
          [0, 1n],
          [1, undefined],
          [2, 1n],
        ],
      );
    },
  },
  {
    id: "list-offsets/arguments",
    clause: "7.7",
    title: "a partition or a timestamp that makes no sense is a TypeError or a RangeError",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      for (const [partition, timestamp] of [
        [-1, 0],
        [0, -3],
        [0, Number.NaN],
        [0, Number.POSITIVE_INFINITY],
      ] as const) {
        const error = await rejectionOf(source.listOffsets(topic, [{ partition, timestamp }]));
        assert.ok(error instanceof TypeError || error instanceof RangeError, `answered with ${String(error)}`);
      }
    },
  },
];
