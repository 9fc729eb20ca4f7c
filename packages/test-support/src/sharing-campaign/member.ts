/**
 * One member of a group, as a process: it reads a topic, works on each record for a moment, and writes down what it does.
 *
 *     member.ts TASK
 *
 * TASK is a {@link MemberTask} as JSON. "stop" ends it in peace; it says "ready" when its consumer is created.
 */
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createConsumer, type SharingMode } from "@tidemark/core";
import { openTestedLog } from "./tested-log.ts";
import { openPlace } from "../campaign/places/open-place.ts";
import type { Place } from "../campaign/places/place.ts";

/** What a member is to do. */
export interface MemberTask {
  readonly place: Place;
  /** The local log's file, or where Kafka is. */
  readonly log: { readonly file: string } | { readonly brokers: readonly string[] };
  readonly journalFile: string;
  readonly topic: string;
  readonly leaseMs: number;
  readonly flushIntervalMs: number;
  /** Milliseconds of work on each record. */
  readonly workMs: number;
  /** Ends when all is read, whoever has read it. */
  readonly untilEnd: boolean;
  readonly sharing: SharingMode;
  /** Milliseconds by which the member's own clock is wrong: nothing goes by it. */
  readonly clockOffsetMs: number;
  /** Whether the work is a result in the store's own transaction. */
  readonly transacts: boolean;
}

const RETRY_MS = 50;
const ALIVE_EVERY_MS = 100;

const task = JSON.parse(process.argv[2] ?? "{}") as MemberTask;
const trueNow = Date.now;
Date.now = () => trueNow() + task.clockOffsetMs;
const note = (...words: readonly (string | number | bigint)[]): void =>
  appendFileSync(task.journalFile, `${words.join(" ")}\n`);
const stopping = new AbortController();
process.on("disconnect", () => process.exit(1));
process.on("message", (message) => (message === "stop" ? stopping.abort() : undefined));

// A process that stands still does not know of it: what reads this file sees it by the gap.
setInterval(() => note("alive", trueNow()), ALIVE_EVERY_MS).unref();

const source = await openTestedLog(task.log);
// As an operator's supervisor does it: what does not start is started again.
while (!stopping.signal.aborted) {
  try {
    await live();
    break;
  } catch (error) {
    note("failed", trueNow(), JSON.stringify(String(error)));
    await pause(RETRY_MS);
  }
}
note("over", trueNow());
await source.close();
process.exit(0);

async function live(): Promise<void> {
  const opened = await openPlace(task.place, 2_000);
  try {
    const consumer = await createConsumer({
      ...{ source, store: opened.store, topic: task.topic, consumer: "group", owner: `process ${process.pid}` },
      ...{
        lease: task.leaseMs,
        flushInterval: task.flushIntervalMs,
        maxWait: 100,
        untilEnd: task.untilEnd,
        sharing: task.sharing,
      },
      onEvent(event) {
        if (event.type === "assigned") note("assigned", trueNow(), event.partitions.join(","));
        else if (event.type === "revoked") note("revoked", trueNow(), event.partitions.join(","), event.reason);
        else if (event.type === "lease-extended") note("extended", trueNow(), event.leaseMs);
        else if ("error" in event) note("event", trueNow(), event.type, JSON.stringify(event.error.message));
      },
    });
    const close = (): void => void consumer.close().catch(() => undefined);
    stopping.signal.addEventListener("abort", close, { once: true });
    if (stopping.signal.aborted) close();
    process.send?.("ready");
    try {
      for await (const record of consumer) {
        const { partition, offset } = record;
        note("begin", trueNow(), partition, offset);
        if (task.workMs > 0) await pause(task.workMs);
        if (task.transacts) await consumer.transact(record, (open) => opened.note?.(open, "group", record));
        note("end", trueNow(), partition, offset);
      }
    } finally {
      stopping.signal.removeEventListener("abort", close);
      await consumer.close();
    }
  } finally {
    await opened.close();
  }
}
