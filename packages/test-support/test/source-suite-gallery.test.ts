import { type FetchResult, type LogSource, OffsetOutOfRangeError } from "@tidemark/core";
import { runSourceCase, sourceConformanceCases, type SourceHarness } from "@tidemark/core/conformance";
import { createMemorySource, type MemorySource } from "@tidemark/test-support";
import { describe, expect, it } from "vitest";

/** A harness for the memory source, with something about it broken. */
function harnessOf(breakSource: (source: MemorySource) => Partial<LogSource>): SourceHarness {
  return {
    name: "broken",
    can: ["admin", "marks", "deleteRecords", "advanceTo", "advanceFar", "changeLeader", "truncate"],
    async open() {
      const whole = createMemorySource();
      const source: LogSource = {
        name: whole.name,
        admin: whole.admin,
        producer: whole.producer,
        partitions: (topic, options) => whole.partitions(topic, options),
        fetch: (request) => whole.fetch(request),
        listOffsets: (topic, entries, options) => whole.listOffsets(topic, entries, options),
        close: () => whole.close(),
        [Symbol.asyncDispose]: () => whole.close(),
        ...breakSource(whole),
      };
      let topics = 0;
      return {
        source,
        async createTopic(partitions) {
          const topic = `topic-${topics++}`;
          await whole.admin.createTopic(topic, { partitions });
          return topic;
        },
        produce: (topic, partition, records) => whole.producer.produce(topic, partition, records),
        async deleteRecords(topic, partition, before) {
          whole.deleteRecords(topic, partition, before);
        },
        async changeLeader(topic, partition) {
          whole.changeLeader(topic, partition);
        },
        async truncate(topic, partition, from) {
          whole.changeLeader(topic, partition, from);
        },
        async advanceTo(topic, partition, offset) {
          whole.advanceTo(topic, partition, offset);
        },
        close: () => source.close(),
      };
    },
  };
}

function changingAnswers(
  source: MemorySource,
  change: (result: FetchResult) => Partial<FetchResult>,
): Partial<LogSource> {
  return {
    fetch: async (request) => {
      const result = await source.fetch(request);
      return { ...result, ...change(result) };
    },
  };
}

const gallery: readonly [fault: string, caseId: string, breakSource: (source: MemorySource) => Partial<LogSource>][] = [
  [
    "counts records instead of reading their offsets",
    "fetch/gap-at-end",
    (source) => ({
      fetch: async (request) => {
        const result = await source.fetch(request);
        return { ...result, nextOffset: request.offset + BigInt(result.records.length) };
      },
    }),
  ],
  [
    "ignores maxBytes",
    "fetch/max-bytes",
    (source) => ({ fetch: (request) => source.fetch({ ...request, maxBytes: 2 ** 40 }) }),
  ],
  [
    "drops a first record that is too large",
    "fetch/large-first",
    (source) => ({
      fetch: async (request) => {
        const result = await source.fetch({ ...request, maxWait: 0 });
        const fits = (result.records[0]?.value?.length ?? 0) <= request.maxBytes;
        return fits ? result : { ...result, records: [], nextOffset: request.offset };
      },
    }),
  ],
  [
    "keeps offsets in doubles",
    "fetch/int64",
    (source) =>
      changingAnswers(source, ({ records }) => ({
        records: records.map((record) => ({ ...record, offset: BigInt(Number(record.offset)) })),
      })),
  ],
  [
    "takes empty for absent",
    "record/null-and-empty",
    (source) =>
      changingAnswers(source, ({ records }) => ({
        records: records.map((record) => ({ ...record, value: record.value?.length === 0 ? null : record.value })),
      })),
  ],
  [
    "loses headers of the same name",
    "record/headers",
    (source) =>
      changingAnswers(source, ({ records }) => ({
        records: records.map((record) => ({
          ...record,
          headers: [...new Map(record.headers.map((header) => [header.name, header])).values()],
        })),
      })),
  ],
  [
    "begins at the earliest record where the one asked for is gone",
    "range/below",
    (source) => ({
      fetch: async (request) => {
        try {
          return await source.fetch(request);
        } catch (error) {
          if (!(error instanceof OffsetOutOfRangeError)) throw error;
          return source.fetch({ ...request, offset: error.earliest ?? 0n });
        }
      },
    }),
  ],
  [
    "waits beyond the end instead of telling",
    "range/beyond",
    (source) => ({
      fetch: async (request) => {
        try {
          return await source.fetch(request);
        } catch (error) {
          if (!(error instanceof OffsetOutOfRangeError)) throw error;
          return { records: [], nextOffset: request.offset, highWatermark: error.latest ?? 0n };
        }
      },
    }),
  ],
  [
    "does not wait at the end",
    "wait/expires",
    (source) => ({ fetch: (request) => source.fetch({ ...request, maxWait: 0 }) }),
  ],
  [
    "rejects an abort with an error of its own",
    "wait/aborted",
    (source) => ({
      fetch: (request) =>
        source.fetch(request).catch((error: unknown) => {
          throw request.signal?.aborted === true ? new Error("aborted", { cause: error }) : error;
        }),
    }),
  ],
  [
    "leaves a listener on the signal",
    "wait/aborted",
    (source) => ({
      fetch: (request) => {
        request.signal?.addEventListener("abort", () => undefined);
        return source.fetch(request);
      },
    }),
  ],
  [
    "answers listOffsets in the order of partitions",
    "list-offsets/several",
    (source) => ({
      listOffsets: async (topic, entries) =>
        (await source.listOffsets(topic, entries)).toSorted((a, b) => a.partition - b.partition),
    }),
  ],
  [
    "tells the log's end for a time later than all records",
    "list-offsets/time",
    (source) => ({
      listOffsets: async (topic, entries) =>
        (await source.listOffsets(topic, entries)).map((answer) => ({ offset: 99n, ...answer })),
    }),
  ],
  [
    "numbers partitions from 1",
    "topic/partitions",
    (source) => ({
      partitions: async (topic) => (await source.partitions(topic)).map((partition) => partition + 1),
    }),
  ],
  [
    "answers without a mark where there is no record",
    "marks/every-answer",
    (source) => ({
      fetch: async (request) => {
        const { mark, ...result } = await source.fetch(request);
        return result.records.length > 0 && mark !== undefined ? { ...result, mark } : result;
      },
    }),
  ],
  [
    "lists offsets without a mark",
    "marks/listed",
    (source) => ({
      listOffsets: async (topic, entries) =>
        (await source.listOffsets(topic, entries)).map(({ partition, offset }) =>
          offset === undefined ? { partition } : { partition, offset },
        ),
    }),
  ],
  [
    "has marks that no store keeps",
    "marks/every-answer",
    (source) => changingAnswers(source, () => ({ mark: "x".repeat(256) })),
  ],
  [
    "takes a position without a mark for another log's",
    "marks/absent",
    (source) => ({
      fetch: (request) => source.fetch(request.offset > 0n ? { mark: "none", ...request } : request),
    }),
  ],
  [
    "takes a position of a topic that was recreated, where its offset is in range",
    "marks/recreated",
    (source) => ({ fetch: (request) => source.fetch({ ...request, mark: undefined }) }),
  ],
  [
    "tells beyond-log of a position of a topic that was recreated",
    "marks/recreated",
    (source) => ({
      fetch: async ({ mark, ...request }) => {
        const { highWatermark } = await source.fetch({ ...request, offset: 0n, maxWait: 0 });
        return source.fetch(request.offset > highWatermark || mark === undefined ? request : { ...request, mark });
      },
    }),
  ],
  [
    "takes a mark that it cannot read for none",
    "marks/unknown",
    (source) => ({
      fetch: async ({ mark, ...request }) =>
        source.fetch(mark === undefined || !mark.includes("/") ? request : { ...request, mark }),
    }),
  ],
  [
    "answers with records of two marks at once",
    "marks/changed",
    (source) => ({
      fetch: async (request) => {
        const first = await source.fetch(request);
        if (first.records.length === 0 || first.nextOffset === first.highWatermark) return first;
        const second = await source.fetch({ ...request, offset: first.nextOffset });
        return { ...second, records: [...first.records, ...second.records] };
      },
    }),
  ],
  [
    "takes the log of the next leader for another one",
    "marks/changed",
    (source) => ({
      fetch: async (request) => {
        const { mark: now } = await source.fetch({ ...request, maxWait: 0 });
        return source.fetch(
          request.mark === undefined || request.mark === now ? request : { ...request, mark: "other" },
        );
      },
    }),
  ],
  [
    "reads on at an offset that was used again after a truncation",
    "marks/truncated",
    (source) => ({
      fetch: async (request) => {
        try {
          return await source.fetch(request);
        } catch (error) {
          if (!(error instanceof OffsetOutOfRangeError && error.requested <= (error.latest ?? 0n))) throw error;
          return source.fetch({ ...request, mark: undefined });
        }
      },
    }),
  ],
  [
    "tells a truncation without where",
    "marks/truncated",
    (source) => ({
      fetch: async (request) => {
        try {
          return await source.fetch(request);
        } catch (error) {
          if (!(error instanceof OffsetOutOfRangeError)) throw error;
          const { topic, partition, requested, earliest, latest, reason } = error;
          throw new OffsetOutOfRangeError({ topic, partition, requested, earliest, latest, reason });
        }
      },
    }),
  ],
  ["still answers after close", "lifecycle/closed", () => ({ close: async () => undefined })],
];

describe("the source suite", () => {
  it.each(gallery)("finds out a source that %s, in %s", async (_fault, caseId, breakSource) => {
    const sourceCase = sourceConformanceCases.find(({ id }) => id === caseId);
    if (sourceCase === undefined) throw new Error(`there is no case ${caseId}`);
    await expect(runSourceCase(harnessOf(breakSource), sourceCase)).rejects.toThrow();
  });

  it("has no fault of its own with a whole source, and no id twice", async () => {
    const ids = sourceConformanceCases.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const sourceCase of sourceConformanceCases)
      await runSourceCase(
        harnessOf(() => ({})),
        sourceCase,
      );
  });

  it("says so where a harness promises what it does not have", async () => {
    const [gap] = sourceConformanceCases.filter(({ needs }) => needs?.includes("advanceTo"));
    const harness = harnessOf(() => ({}));
    const incapable: SourceHarness = {
      ...harness,
      async open() {
        const { advanceTo: _, ...opened } = await harness.open();
        return opened;
      },
    };
    if (gap === undefined) throw new Error("no case needs advanceTo");
    await expect(runSourceCase(incapable, gap)).rejects.toThrow(/can advanceTo, but what it opened has none/);
  });
});
