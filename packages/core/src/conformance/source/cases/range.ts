import { fetchOf, readRecords, rejectsOutOfRange, rejectsWithCode, textOf, textRecord } from "../reading.ts";
import type { SourceConformanceCase } from "../source-case.ts";
import { assert } from "../../assert.ts";
/** Offsets that the log does not have. */
export const rangeCases: readonly SourceConformanceCase[] = [
  {
    id: "range/beyond",
    clause: "7.6",
    title: "an offset beyond the end is out of range immediately, and the error has the log's bounds",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await rejectsOutOfRange(source.fetch(fetchOf(topic, { offset: 1n, maxWait: 20_000 })), {
        requested: 1n,
        earliest: 0n,
        latest: 0n,
        reason: "beyond-log",
      });
      await opened.produce(topic, 0, [textRecord("a"), textRecord("b")]);
      await rejectsOutOfRange(source.fetch(fetchOf(topic, { offset: 2n ** 53n + 1n })), {
        requested: 2n ** 53n + 1n,
        earliest: 0n,
        latest: 2n,
        reason: "beyond-log",
      });
    },
  },
  {
    id: "range/below",
    clause: "7.6",
    title: "an offset whose record was removed is out of range, and the error has the log's bounds",
    needs: ["deleteRecords"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(
        topic,
        0,
        ["a", "b", "c", "d"].map((text) => textRecord(text)),
      );
      await opened.deleteRecords?.(topic, 0, 3n);
      for (const requested of [0n, 2n]) {
        await rejectsOutOfRange(source.fetch(fetchOf(topic, { offset: requested })), {
          requested,
          earliest: 3n,
          latest: 4n,
          reason: "below-log",
        });
      }
      assert.deepEqual((await readRecords(source, topic, 1, { offset: 3n })).map(textOf), ["d"]);
    },
  },
  {
    id: "range/emptied",
    clause: "7.6",
    title: "offsets are not used again when all records were removed",
    needs: ["deleteRecords"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(topic, 0, [textRecord("a"), textRecord("b")]);
      await opened.deleteRecords?.(topic, 0, 2n);
      const ends = await source.listOffsets(topic, [
        { partition: 0, timestamp: -2 },
        { partition: 0, timestamp: -1 },
      ]);
      assert.deepEqual(
        ends.map(({ offset }) => offset),
        [2n, 2n],
      );
      await opened.produce(topic, 0, [textRecord("c")]);
      const [record] = await readRecords(source, topic, 1, { offset: 2n });
      assert.equal(record?.offset, 2n);
    },
  },
  {
    id: "range/waiting",
    clause: "7.6",
    title: "a fetch that waits while its topic is deleted ends with UNKNOWN_TOPIC",
    needs: ["admin"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const waiting = rejectsWithCode(source.fetch(fetchOf(topic, { maxWait: 20_000 })), "UNKNOWN_TOPIC");
      await source.admin?.deleteTopic(topic);
      await waiting;
    },
  },
];
