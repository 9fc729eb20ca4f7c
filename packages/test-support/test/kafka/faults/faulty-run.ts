import { PATIENT_KAFKA } from "@tidemark/test-support/servers";
import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { type KafkaLogOptions, openKafkaLog } from "@tidemark/source-kafka";
import type { OwnServer } from "@tidemark/test-support/servers";
import type { StoreBackend } from "@tidemark/test-support/stores";
import { expect } from "vitest";
import { type AcknowledgedWriter, startWriter } from "./acknowledged-writer.ts";
import { inTime } from "./in-time.ts";
import { startConsumer, type WatchedConsumer } from "./watched-consumer.ts";

// What a fault is followed by has to be read before the next one comes.
const RECORDS_AFTER_FAULT = 10n;
// Longer than any time-out of a run: whoever has not read on by then stands still.
const READ_WITHIN_MS = 120_000;

/** What is done to the brokers while consumers read, and what can be waited for meanwhile. */
export interface FaultyRun {
  readonly topic: string;
  readonly writer: AcknowledgedWriter;
  /** In the order in which they were asked for. */
  readonly consumers: readonly WatchedConsumer[];
  /** Resolves when every consumer has read some records of every partition that were written from now on. */
  untilAllGoOn(): Promise<void>;
}

/** How a run is set up. */
export interface FaultyRunOptions {
  readonly server: OwnServer;
  readonly partitions: number;
  /** Whoever reads, each with a log and a store of its own. */
  readonly consumers: readonly { readonly backend: StoreBackend; readonly log: Omit<KafkaLogOptions, "brokers"> }[];
  /** The writer's time-out in milliseconds; default 180,000. What is not acknowledged within it is left alone. */
  readonly writersTimeout?: number;
  /** What happens; the run ends when it resolves and everything is read. */
  readonly faults: (run: FaultyRun) => Promise<void>;
}

/**
 * Writes to a topic and reads it with consumers whose positions are in stores, while faults happen. Then proves of each:
 * every record that was acknowledged was delivered, at its offset; offsets ascended without a repeat, in one loop that never
 * ended; the stored position never went back and ends behind the last record; no position was ever out of range.
 */
export async function runUnderFaults(options: FaultyRunOptions): Promise<FaultyRun> {
  const { server, partitions, writersTimeout = 180_000, faults } = options;
  const brokers = server.urls.map((url) => new URL(url).host);
  const topic = `faults-${randomUUID()}`;
  {
    await using patient = await openKafkaLog({ brokers, ...PATIENT_KAFKA });
    await patient.admin.createTopic(topic, { partitions });
  }
  await using log = await inTime(() => openKafkaLog({ brokers, timeout: writersTimeout }));
  const consumers = await Promise.all(
    options.consumers.map((wanted, index) =>
      startConsumer({
        name: `c${index + 1}`,
        backend: wanted.backend,
        log: { brokers, ...wanted.log },
        topic,
        partitions,
      }),
    ),
  );
  const writer = startWriter(log, topic, partitions);
  const ends = (): bigint[] =>
    writer.acknowledged.map((values) => [...values.keys()].reduce((end, offset) => (offset > end ? offset : end), -1n));
  const untilRead = async (offsets: readonly bigint[]): Promise<void> => {
    const read = Promise.all(consumers.map((consumer) => consumer.untilDelivered(offsets)));
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const stands = consumers.map(({ name, last, events }) => ({ name, last: [...last], events: events.slice(-5) }));
      // Whether it is the consumers who stand still, or the writer.
      const written = { ends: ends(), unanswered: writer.unanswered };
      late.reject(
        new Error(`not read within ${READ_WITHIN_MS} ms: ${inspect({ offsets, written, stands }, { depth: 5 })}`),
      );
    }, READ_WITHIN_MS);
    try {
      // Without a writer there is nothing to wait for: its failure must not look like a consumer that stands still.
      await Promise.race([read, late.promise, writer.writing.then(() => read)]);
    } finally {
      clearTimeout(timer);
    }
  };
  const run: FaultyRun = {
    topic,
    writer,
    consumers,
    untilAllGoOn: () => untilRead(ends().map((end) => end + RECORDS_AFTER_FAULT)),
  };
  await run.untilAllGoOn();
  await faults(run);
  await writer.stop();
  await untilRead(ends());
  for (const consumer of consumers) {
    await consumer.close();
    expectWhole(consumer, writer);
  }
  return run;
}

function expectWhole({ name, delivered, last, positions, events }: WatchedConsumer, writer: AcknowledgedWriter): void {
  for (const [partition, values] of writer.acknowledged.entries()) {
    const seen = delivered[partition] ?? new Map<bigint, string>();
    const missing = [...values].filter(([offset, value]) => seen.get(offset) !== value);
    expect(missing, `${name}: acknowledged records of partition ${partition} that were not delivered`).toEqual([]);
    // What was not acknowledged may be in the log all the same, once.
    if (writer.unanswered === 0) expect(seen.size).toBe(values.size);
    expect(new Set(seen.values()).size).toBe(seen.size);
    // The record in hand when the consumer was closed is not committed.
    const end = last[partition] ?? -1n;
    expect([end, end + 1n]).toContain(positions[partition]);
  }
  expect(events.filter(({ type }) => type === "reset" || type === "fenced")).toEqual([]);
  for (const event of events) if (event.type === "fetch-failed") expect(event.error).toMatchObject({ retryable: true });
}
