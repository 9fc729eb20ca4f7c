import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConsumerEvent, createConsumer, type LogRecord, type OffsetResetPolicy } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLog } from "./kafka-topics.ts";
import { BETWEEN_MS, type LostPosition, lostPositions } from "./lost-positions.ts";
import { CONSUMER, watchedStore } from "./watched-store.ts";

/** Goes on two records before the end; at the end if that was just tried. */
const twoBack: OffsetResetPolicy = {
  name: "two-back",
  timestamp: () => -1,
  adjustOffset: (last, end) => (last === end - 2n ? end : end - 2n),
};

/** As a module of its own: skips the first record; not if that was just tried. */
const MODULE = `export const policy = {
  name: "second",
  timestamp: () => -2,
  adjustOffset: (last, first) => (last === first + 1n ? first : first + 1n),
};
`;

/** What a policy does: where it goes on, and what that skips. */
type Expected = readonly [to: bigint, skipped: bigint] | "refuses";

/**
 * The table, by hand. The logs: below and by retention 12 to 20, made again 0 to 8, emptied 20 to 20, empty 0 to 0; the
 * positions 5, 5, 50, 5, 5.
 */
const table: Readonly<Record<string, Readonly<Record<keyof typeof lostPositions, Expected>>>> = {
  earliest: {
    "records deleted below": [12n, 7n],
    "records removed by retention": [12n, 7n],
    "topic made again shorter": [0n, 0n],
    "partition emptied": [20n, 15n],
    "log empty": [0n, 0n],
  },
  latest: {
    "records deleted below": [20n, 15n],
    "records removed by retention": [20n, 15n],
    "topic made again shorter": [8n, 8n],
    "partition emptied": [20n, 15n],
    "log empty": [0n, 0n],
  },
  "last-offset": {
    "records deleted below": [19n, 14n],
    "records removed by retention": [19n, 14n],
    "topic made again shorter": [7n, 7n],
    "partition emptied": [20n, 15n],
    "log empty": [0n, 0n],
  },
  none: {
    "records deleted below": "refuses",
    "records removed by retention": "refuses",
    "topic made again shorter": "refuses",
    "partition emptied": "refuses",
    "log empty": "refuses",
  },
  at_timestamp: {
    "records deleted below": [14n, 9n],
    "records removed by retention": [14n, 9n],
    "topic made again shorter": [2n, 2n],
    "partition emptied": [20n, 15n],
    "log empty": [0n, 0n],
  },
  "by_duration:PT10M": {
    "records deleted below": [16n, 11n],
    "records removed by retention": [16n, 11n],
    "topic made again shorter": [4n, 4n],
    "partition emptied": [20n, 15n],
    "log empty": [0n, 0n],
  },
  nearest: {
    "records deleted below": [12n, 7n],
    "records removed by retention": [12n, 7n],
    "topic made again shorter": [8n, 8n],
    "partition emptied": [20n, 15n],
    "log empty": [0n, 0n],
  },
  "two-back": {
    "records deleted below": [18n, 13n],
    "records removed by retention": [18n, 13n],
    "topic made again shorter": [6n, 6n],
    "partition emptied": [20n, 15n],
    "log empty": [0n, 0n],
  },
  second: {
    "records deleted below": [13n, 8n],
    "records removed by retention": [13n, 8n],
    "topic made again shorter": [1n, 1n],
    "partition emptied": [20n, 15n],
    "log empty": [0n, 0n],
  },
};

const policies = Object.keys(table);

await describeWithServer("kafka", (server) => {
  let log: KafkaLog;
  let folder: string;

  beforeAll(async () => {
    log = await openLog(server);
    folder = await mkdtemp(join(tmpdir(), "tidemark-policies-"));
    await writeFile(join(folder, "policy.mjs"), MODULE);
  });
  afterAll(async () => {
    await log.close();
    await rm(folder, { recursive: true });
  });

  function policyOf(name: string, lost: LostPosition): OffsetResetPolicy | string {
    if (name === "two-back") return twoBack;
    if (name === "second") return join(folder, "policy.mjs");
    if (name === "at_timestamp") return `at_timestamp:${momentOf(lost)}`;
    return name;
  }

  const scenarios = Object.keys(lostPositions) as (keyof typeof lostPositions)[];
  describe.each(scenarios)("%s", (scenario) => {
    const lost = lostPositions[scenario];
    const { stored, earliest, latest } = lost;
    let topic: string;

    beforeAll(async () => {
      // A partition for each policy.
      topic = await lost.prepare(server, log, policies.length);
    });

    it.each(policies.map((name, partition) => [name, partition] as const))("%s", async (name, partition) => {
      const expected = table[name]?.[scenario] ?? "refuses";
      const watched = watchedStore();
      const { store, commits } = watched;
      await watched.put(topic, stored, [partition]);
      const events: ConsumerEvent[] = [];
      const resets = () => events.filter(({ type }) => type === "reset");
      let written: Promise<bigint> | undefined;
      const open = () =>
        createConsumer({
          source: log,
          store,
          topic,
          consumer: CONSUMER,
          partitions: [partition],
          resetPolicy: policyOf(name, lost),
          // Only what the test flushes is written.
          flushInterval: 600_000,
          onEvent: (event) => {
            events.push(event);
            if (event.type !== "reset") return;
            // Whoever goes on at the end gets something to read; not before, so that the policy has not seen it.
            written = log.producer.produce(topic, partition, [{ value: Buffer.from("new") }]);
          },
        });

      if (expected === "refuses") {
        for (const _ of ["at first", "and again"]) {
          const consumer = await open();
          const refusal = { name: "OffsetOutOfRangeError", topic, partition, requested: stored, earliest, latest };
          await expect(take(consumer, 1)).rejects.toMatchObject(refusal);
          await consumer.close();
        }
        expect(resets()).toEqual([]);
        expect(commits).toEqual([]);
        expect(await watched.position(topic, partition)).toBe(stored);
        return;
      }

      const [to, skipped] = expected;
      const told = {
        type: "reset",
        topic,
        partition,
        policy: name === "at_timestamp" ? `at_timestamp:${momentOf(lost)}` : name,
        reason: stored < earliest ? "below-log" : "beyond-log",
        from: stored,
        earliest,
      };
      const sent = () => commits.map(({ nextOffset, rewind }) => [nextOffset, rewind]);
      // One reset. It is stored before the first record is handed out, and no more: that record was never asked beyond.
      const first = await open();
      expect(await take(first, 1)).toEqual([to]);
      await first.close();
      expect(resets()).toEqual([{ ...told, to, skipped, latest }]);
      expect(sent()).toEqual([[to, true]]);
      expect(commits[0]?.resetFrom).toEqual({ nextOffset: stored, reason: told.reason });
      expect(await watched.position(topic, partition)).toBe(to);

      // So a restart goes on there, whatever has come meanwhile.
      await written;
      const records = Array.from({ length: 4 }, () => ({ value: Buffer.from("new") }));
      await log.producer.produce(topic, partition, records);
      const second = await open();
      expect(await take(second, 2)).toEqual([to, to + 1n]);
      await second.flush();
      expect(await watched.position(topic, partition)).toBe(to + 1n);
      expect(await take(second, 2)).toEqual([to + 1n, to + 2n]);
      await second.close();
      expect(sent().slice(1)).toEqual([
        [to + 1n, undefined],
        [to + 2n, undefined],
      ]);

      // From then on there is nothing to reset.
      const third = await open();
      expect(third.position(partition)).toBe(to + 2n);
      expect(await take(third, 1)).toEqual([to + 2n]);
      await third.close();
      expect(resets()).toHaveLength(1);
    });
  });
});

function momentOf(lost: LostPosition): string {
  return new Date(lost.earliest === 0n ? BETWEEN_MS.new : BETWEEN_MS.old).toISOString();
}

/** Takes some records, then leaves the loop; gives their offsets. */
async function take(consumer: AsyncIterable<LogRecord>, count: number): Promise<bigint[]> {
  const offsets: bigint[] = [];
  for await (const { offset } of consumer) {
    offsets.push(offset);
    if (offsets.length === count) break;
  }
  return offsets;
}
