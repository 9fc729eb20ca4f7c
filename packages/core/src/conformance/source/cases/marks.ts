import { assert } from "../../assert.ts";
import { EARLIEST_TIMESTAMP, type FetchResult, LATEST_TIMESTAMP, type LogSource } from "../../../log-source.ts";
import { fetchOf, PATIENCE_MS, rejectsOutOfRange, textOf, textRecord } from "../reading.ts";
import type { SourceConformanceCase } from "../source-case.ts";
import type { OpenedSource } from "../source-harness.ts";

const TEXTS = ["a", "b", "c"];

/** Which log a position belongs to. */
export const markCases: readonly SourceConformanceCase[] = [
  {
    id: "marks/every-answer",
    clause: "7.9",
    title: "every answer has a mark, and a position is read on with it",
    needs: ["marks"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      markOf(await source.fetch(fetchOf(topic)));
      // Two calls: a log may hand out whole what was written at once.
      await produceTexts(opened, topic, ["a"]);
      await produceTexts(opened, topic, ["b", "c"]);
      const first = await source.fetch(fetchOf(topic, { maxBytes: 1, maxWait: PATIENCE_MS }));
      assert.deepEqual(first.records.map(textOf), ["a"]);
      const second = await source.fetch(fetchOf(topic, { offset: 1n, mark: markOf(first), maxWait: PATIENCE_MS }));
      assert.equal(second.records[0]?.offset, 1n);
      const atEnd = await source.fetch(fetchOf(topic, { offset: 3n, mark: markOf(second) }));
      assert.deepEqual([atEnd.records.length, atEnd.nextOffset], [0, 3n]);
      markOf(atEnd);
    },
  },
  {
    id: "marks/listed",
    clause: "7.9",
    title: "every listed offset has a mark, and is read from with it",
    needs: ["marks"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(
        topic,
        0,
        TEXTS.map((text, index) => textRecord(text, 1_000 * (index + 1))),
      );
      for (const timestamp of [EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, 1_500]) {
        const [listed] = await source.listOffsets(topic, [{ partition: 0, timestamp }]);
        assert.ok(listed?.offset !== undefined);
        const { records } = await source.fetch(fetchOf(topic, { offset: listed.offset, mark: markOf(listed) }));
        assert.equal(records[0]?.offset, listed.offset === 3n ? undefined : listed.offset);
      }
    },
  },
  {
    id: "marks/absent",
    clause: "7.9",
    title: "a position without a mark is taken by any log",
    needs: ["marks", "admin"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await produceTexts(opened, topic, TEXTS);
      await recreate(opened, topic, ["new a", "new b"]);
      const { records } = await source.fetch(fetchOf(topic, { offset: 1n, maxWait: PATIENCE_MS }));
      assert.deepEqual(records.map(textOf), ["new b"]);
    },
  },
  {
    id: "marks/recreated",
    clause: "7.11",
    title: "a position of a topic that was recreated is refused with `other-log`, also where its offset is in range",
    needs: ["marks", "admin"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await produceTexts(opened, topic, TEXTS);
      const read = await source.fetch(fetchOf(topic, { maxWait: PATIENCE_MS }));
      const [listed] = await source.listOffsets(topic, [{ partition: 0, timestamp: LATEST_TIMESTAMP }]);
      await recreate(opened, topic, ["new a", "new b", "new c"]);
      const expected = { earliest: 0n, latest: 3n, reason: "other-log" } as const;
      for (const mark of [markOf(read), markOf(listed)]) {
        for (const requested of [0n, 1n, 3n, 9n]) {
          const refused = source.fetch(fetchOf(topic, { offset: requested, mark, maxWait: 20_000 }));
          await rejectsOutOfRange(refused, { requested, ...expected });
        }
      }
      const taken = await source.fetch(fetchOf(topic, { mark: markOf(await latestOf(source, topic)) }));
      assert.deepEqual(taken.records[0] && textOf(taken.records[0]), "new a");
    },
  },
  {
    id: "marks/unknown",
    clause: "7.11",
    title: "a mark that the log did not make is another log's",
    needs: ["marks"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await produceTexts(opened, topic, TEXTS);
      for (const mark of ["another log", "{}", "0", "🌊"]) {
        const refused = source.fetch(fetchOf(topic, { offset: 1n, mark }));
        await rejectsOutOfRange(refused, { requested: 1n, earliest: 0n, latest: 3n, reason: "other-log" });
      }
    },
  },
  {
    id: "marks/changed",
    clause: "7.10",
    title: "no answer spans two marks, and where the mark changes reading continues with the old one",
    needs: ["marks", "changeLeader"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await produceTexts(opened, topic, TEXTS);
      await opened.changeLeader?.(topic, 0);
      await produceTexts(opened, topic, ["d", "e"]);
      const before = await source.fetch(fetchOf(topic, { maxWait: PATIENCE_MS }));
      const mark = markOf(before);
      assert.deepEqual(before.records.map(textOf), TEXTS, "an answer must end where the mark changes");
      const after = await source.fetch(fetchOf(topic, { offset: before.nextOffset, mark, maxWait: PATIENCE_MS }));
      assert.deepEqual(after.records.map(textOf), ["d", "e"]);
      assert.notEqual(markOf(after), mark);
    },
  },
  {
    id: "marks/truncated",
    clause: "7.12",
    title: "a log that was truncated below a position refuses it with `truncated` and where it differs",
    needs: ["marks", "truncate"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await produceTexts(opened, topic, [...TEXTS, "lost", "lost too"]);
      const mark = markOf(await source.fetch(fetchOf(topic, { maxWait: PATIENCE_MS })));
      await opened.truncate?.(topic, 0, 3n);
      const expected = { requested: 5n, earliest: 0n, reason: "truncated", divergedAt: 3n } as const;
      const beyond = source.fetch(fetchOf(topic, { offset: 5n, mark, maxWait: 20_000 }));
      await rejectsOutOfRange(beyond, { ...expected, latest: 3n });
      await produceTexts(opened, topic, ["d", "e", "f"]);
      const usedAgain = source.fetch(fetchOf(topic, { offset: 5n, mark }));
      await rejectsOutOfRange(usedAgain, { ...expected, latest: 6n });
      const { records } = await source.fetch(fetchOf(topic, { offset: 3n, mark, maxWait: PATIENCE_MS }));
      assert.deepEqual(records.map(textOf), ["d", "e", "f"]);
    },
  },
];

/** Asserts that there is a mark that a store can keep, and gives it. */
function markOf(answer: { readonly mark?: string } | FetchResult | undefined): string {
  const mark = answer?.mark;
  assert.ok(typeof mark === "string", `an answer had the mark ${String(mark)}; it must be a string`);
  const bytes = Buffer.byteLength(mark);
  assert.ok(bytes >= 1 && bytes <= 255 && mark.isWellFormed(), `the mark ${JSON.stringify(mark)} cannot be stored`);
  return mark;
}

async function latestOf(source: LogSource, topic: string): Promise<{ readonly mark?: string } | undefined> {
  const [listed] = await source.listOffsets(topic, [{ partition: 0, timestamp: LATEST_TIMESTAMP }]);
  return listed;
}

async function produceTexts(opened: OpenedSource, topic: string, texts: readonly string[]): Promise<void> {
  await opened.produce(
    topic,
    0,
    texts.map((text) => textRecord(text)),
  );
}

async function recreate(opened: OpenedSource, topic: string, texts: readonly string[]): Promise<void> {
  await opened.source.admin?.deleteTopic(topic);
  await opened.source.admin?.createTopic(topic, { partitions: 1 });
  await produceTexts(opened, topic, texts);
}
