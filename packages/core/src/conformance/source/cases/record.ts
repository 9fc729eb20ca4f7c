import { assert } from "../../assert.ts";
import { readRecords } from "../reading.ts";
import type { SourceConformanceCase } from "../source-case.ts";

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** What of a record survives. */
export const recordCases: readonly SourceConformanceCase[] = [
  {
    id: "record/null-and-empty",
    clause: "7.4",
    title: "an absent key or value is not an empty one",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const empty = new Uint8Array(0);
      await opened.produce(topic, 0, [
        { value: null },
        { key: null, value: empty },
        { key: empty, value: null },
        { key: empty, value: empty },
      ]);
      const records = await readRecords(source, topic, 4);
      assert.deepEqual(
        records.map(({ key, value }) => [key?.length ?? null, value?.length ?? null]),
        [
          [null, null],
          [null, 0],
          [0, null],
          [0, 0],
        ],
      );
    },
  },
  {
    id: "record/bytes",
    clause: "7.4",
    title: "keys and values come back byte for byte, and are the caller's to keep",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const value = Uint8Array.from(everyByte);
      await opened.produce(topic, 0, [{ key: everyByte.subarray(100, 200), value }]);
      value.fill(0);
      const [record] = await readRecords(source, topic, 1);
      assert.ok(record?.key instanceof Uint8Array && record.value instanceof Uint8Array);
      assert.deepEqual(Uint8Array.from(record.key), everyByte.slice(100, 200));
      assert.deepEqual(Uint8Array.from(record.value), everyByte);
    },
  },
  {
    id: "record/timestamp",
    clause: "7.4",
    title: "a record has the timestamp that it was given, or else the time at which it was written",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const before = Date.now();
      await opened.produce(topic, 0, [{ value: null, timestampMs: before - 5_000 }, { value: null }]);
      const [given, written] = await readRecords(source, topic, 2);
      assert.equal(given?.timestampMs, before - 5_000);
      // The clock may be another machine's.
      assert.ok(Math.abs((written?.timestampMs ?? 0) - before) < 60_000, `written at ${written?.timestampMs}`);
    },
  },
  {
    id: "record/headers",
    clause: "7.4",
    title: "headers keep their order, repeated names, empty and binary values",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const headers = [
        { name: "trace", value: everyByte },
        { name: "", value: new Uint8Array(0) },
        { name: "trace", value: Buffer.from("again") },
        { name: "größe 🌊", value: Buffer.from("{}") },
      ];
      await opened.produce(topic, 0, [{ value: null, headers }, { value: null, headers: [] }, { value: null }]);
      const [first, second, third] = await readRecords(source, topic, 3);
      assert.deepEqual(
        first?.headers.map(({ name, value }) => [name, Buffer.from(value).toString("hex")]),
        headers.map(({ name, value }) => [name, Buffer.from(value).toString("hex")]),
      );
      assert.deepEqual([second?.headers, third?.headers], [[], []]);
    },
  },
];
