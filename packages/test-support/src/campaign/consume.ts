import { setTimeout as pause } from "node:timers/promises";
import {
  type Consumer,
  type ConsumerEvent,
  type ConsumerOptions,
  createConsumer,
  type LogRecord,
  type LogSource,
  type ManualConsumer,
  OffsetFencedError,
  OffsetStoreError,
} from "@tidemark/core";
import { type Flaw, flaws } from "./flawed-store.ts";
import type { Journal } from "./journal.ts";
import { journaledStore } from "./journaled-store.ts";
import type { OpenedPlace } from "./places/place.ts";
import type { LifePlan } from "./round-plan.ts";

/** Milliseconds after which an idle session renews: a superseded one learns within it. */
export const RENEW_INTERVAL_MS = 100;
const PAUSE_AFTER_ERROR_MS = 20;

/** What one consumer is to do. */
export interface LifeTask {
  /** Its number in the round. */
  readonly worker: number;
  /** The topic and the consumer's name. */
  readonly name: string;
  readonly partitions: number;
  readonly life: Omit<LifePlan, "end">;
  /** Reads to the end and closes, instead of waiting there. */
  readonly untilEnd: boolean;
  /** A fault of the store, to show that it is found. */
  readonly flaw: Flaw | undefined;
}

/** What a life lives in: a process, or part of one. */
export interface LifeHost {
  readonly source: LogSource;
  readonly journal: Journal;
  /** Opens the place; `attempt` counts from 0. */
  open(attempt: number): Promise<OpenedPlace>;
  /** Ends it in peace. */
  readonly leaving: AbortSignal;
  /** Lets go of what would keep this process alive for a life that is dead, where that is not done by the system. */
  readonly abandoned?: AbortSignal;
  /** Whether another has been started in its place: then its present session is its last one. */
  isReplaced(): boolean;
  /** Waits while the life is frozen, and forever when it is dead, where that is not done by the system. */
  gate(): Promise<void> | undefined;
  /** `ready`: the claim was answered, and reading begins. `over`: it ended, in peace or because another has its place. */
  notify(state: "ready" | "over"): void;
  /** Called at every commit. */
  readonly hooks: { readonly sent: () => void; readonly answered: () => void };
}

/** Lives one life: consumes, session after session where one breaks, until it is fenced, told to leave, or dead. */
export async function consume(task: LifeTask, host: LifeHost): Promise<void> {
  const { journal, leaving } = host;
  for (let session = 0; !leaving.aborted; session += 1) {
    const who = `${task.worker}.${session}`;
    const state = { isFenced: false };
    let place: OpenedPlace | undefined;
    try {
      place = await host.open(session);
      await oneSession(task, host, place, who, state);
      journal.write(who, { what: "left" });
      break;
    } catch (error) {
      await host.gate();
      // In the middle of a transaction its own error may come first.
      if (error instanceof OffsetFencedError || state.isFenced) break;
      if (!isOutage(error, task)) {
        journal.write(who, { what: "failed", error: describe(error) });
        break;
      }
      journal.write(who, { what: "broken", error: describe(error) });
      // What was sent to this process while it was busy or frozen is heard only now.
      await pause(PAUSE_AFTER_ERROR_MS);
      if (host.isReplaced()) break;
    } finally {
      await place?.close().catch(() => undefined);
    }
  }
  host.notify("over");
}

async function oneSession(
  task: LifeTask,
  host: LifeHost,
  place: OpenedPlace,
  who: string,
  state: { isFenced: boolean },
): Promise<void> {
  const { life, name, flaw, untilEnd } = task;
  const { journal, source } = host;
  const store = flaw === undefined ? place.store : flaws[flaw](place.store);
  const options: ConsumerOptions<unknown> = {
    source,
    store: journaledStore(store, journal, who, host.hooks),
    topic: name,
    consumer: name,
    partitions: Array.from({ length: task.partitions }, (_, partition) => partition),
    flushInterval: life.flushInterval,
    ttl: life.ttl,
    maxUnflushedAge: life.maxUnflushedAge,
    sharing: "takeover",
    renewInterval: RENEW_INTERVAL_MS,
    owner: who,
    maxWait: 50,
    untilEnd,
    signal: host.abandoned,
    onEvent(event) {
      writeEvent(journal, who, event);
      state.isFenced ||= event.type === "fenced";
    },
  };
  const manual = life.strategy === "auto" ? undefined : await createConsumer({ ...options, strategy: "manual" });
  const consumer = manual ?? (await createConsumer(options));
  // A loop that waits is ended by closing; one that has a record in hand ends by itself when that is worked on.
  const work = { inHand: false };
  const leave = (): void => {
    if (!work.inHand) consumer.close().catch(() => undefined);
  };
  host.leaving.addEventListener("abort", leave);
  if (host.leaving.aborted) leave();
  try {
    host.notify("ready");
    await loop(consumer, manual, task, host, place, who, work);
  } finally {
    host.leaving.removeEventListener("abort", leave);
    await consumer.close();
  }
}

async function loop(
  consumer: Consumer,
  manual: ManualConsumer<unknown> | undefined,
  task: LifeTask,
  host: LifeHost,
  place: OpenedPlace,
  who: string,
  work: { inHand: boolean },
): Promise<void> {
  const { life } = task;
  const { journal, leaving } = host;
  const taken: LogRecord[] = [];
  let count = 0;
  for await (const record of consumer) {
    work.inHand = true;
    await host.gate();
    const { partition } = record;
    const offset = Number(record.offset);
    const note = (what: "delivered" | "done" | "transacted"): void => journal.write(who, { what, partition, offset });
    note("delivered");
    count += 1;
    if (count % life.recordsPerPause === 0) await pause(1);
    await host.gate();
    if (life.strategy === "transaction" && manual !== undefined) {
      await transact(manual, task, record, place);
      note("transacted");
    }
    // Nobody comes back for the next one: leaving commits nothing.
    if (life.strategy === "auto" && leaving.aborted) break;
    if (life.strategy === "acknowledge" && manual !== undefined) {
      taken.push(record);
      if (taken.length === life.window) acknowledgeAll(manual, taken.splice(0), journal, who);
    } else {
      note("done");
      if (life.strategy !== "auto") consumer.commit(record);
    }
    if (leaving.aborted) break;
    work.inHand = false;
  }
  // The end of the log may come before the window is full.
  if (!leaving.aborted && manual !== undefined) acknowledgeAll(manual, taken, journal, who);
}

/** In an order that has nothing to do with that of the records, and comes again. */
function acknowledgeAll(
  consumer: ManualConsumer<unknown>,
  records: readonly LogRecord[],
  journal: Journal,
  who: string,
): void {
  const mixed = records.toSorted((a, b) => Number((a.offset * 7n) % 11n) - Number((b.offset * 7n) % 11n));
  for (const record of mixed) {
    journal.write(who, { what: "done", partition: record.partition, offset: Number(record.offset) });
    consumer.acknowledge(record);
  }
}

async function transact(
  consumer: ManualConsumer<unknown>,
  { name, flaw, untilEnd }: LifeTask,
  record: LogRecord,
  place: OpenedPlace,
): Promise<void> {
  if (place.transact === undefined) throw new TypeError("this store has no transactions");
  const commit = async (transaction: unknown): Promise<void> => {
    // Irregular, so that kills fall between any two steps.
    if (!untilEnd && record.offset % 3n === 0n) await pause(1);
    await consumer.commitWithin(transaction, record);
    if (!untilEnd && record.offset % 5n === 0n) await pause(1);
  };
  if (flaw === "two-transactions") {
    await place.transact(name, record, { writes: true, commit: async () => undefined });
    await place.transact(name, record, { writes: false, commit });
  } else {
    await place.transact(name, record, { writes: true, commit });
  }
}

function writeEvent(journal: Journal, who: string, event: ConsumerEvent): void {
  if (event.type === "reset") {
    const { partition, from, to, skipped } = event;
    journal.write(who, {
      what: "reset",
      partition,
      from: Number(from),
      to: Number(to),
      skipped: Number(skipped),
    });
  } else if (event.type === "fenced") {
    const { key, reason, owner } = event;
    journal.write(who, { what: "fenced", partition: key.partition, reason, owner });
  }
}

/** Whether an error is one after which a careful program begins again from the stored position. */
function isOutage(error: unknown, { life }: LifeTask): boolean {
  if (error instanceof OffsetStoreError) return error.retryable;
  // In a transaction the errors of the drivers themselves pass.
  return life.strategy === "transaction" && !(error instanceof TypeError) && !(error instanceof RangeError);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
