import { appendFileSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { SharingMode } from "@tidemark/core";
import { logFileIn } from "../campaign/arenas/embedded.ts";
import type { Arena } from "../campaign/arenas/arena.ts";
import { openArena } from "../campaign/arenas/open-arena.ts";
import type { OpenedPlace } from "../campaign/places/place.ts";
import type { CampaignStoreName } from "../campaign/round-plan.ts";
import { launchServer, type MissingServer } from "../servers/index.ts";
import { checkSharing, type SharingFigures } from "./check-sharing.ts";
import type { MemberTask } from "./member.ts";
import { MemberProcess } from "./member-process.ts";
import { openTestedLog, type TestedLog } from "./tested-log.ts";

/** What may happen in a round. */
export const sharingActions = ["start", "stop", "kill", "freeze", "cut", "outage"] as const;
export type SharingAction = (typeof sharingActions)[number];

/** What to run. */
export interface SharingOptions {
  readonly store: Exclude<CampaignStoreName, "memory">;
  readonly rounds: number;
  readonly seed: number;
  readonly partitions?: number;
  readonly members?: number;
  /** Which may happen. Default: all. */
  readonly actions?: readonly SharingAction[];
  /** Default: balanced. Another one shows that the check finds faults. */
  readonly sharing?: SharingMode;
  /** Where the records are. Default: the local log. */
  readonly log?: "local" | "kafka";
  /** Whether each record is a result in a transaction of the store's own: then each is there once. Default false. */
  readonly transacts?: boolean;
  /** How many leases the group has after each round. Default: at random up to one, so that nothing settles. */
  readonly settle?: number;
  /** Keeps the folder with the journals, also where nothing is wrong. */
  readonly keeps?: boolean;
  readonly onRound?: (round: number, action: SharingAction) => void;
}

/** What came of it. */
export interface SharingResult extends SharingFigures {
  readonly store: string;
  readonly version: string;
  readonly rounds: number;
  readonly actions: Readonly<Record<string, number>>;
  readonly folder: string;
}

const TOPIC = "orders";
const FLUSH_INTERVAL_MS = 200;
const WORK_MS = 1;
const BATCH = 2;
const PRODUCE_EVERY_MS = 100;
// A transaction of each takes longer.
const PRODUCE_TRANSACTED_EVERY_MS = 500;
const WATCH_EVERY_MS = 100;
const MAX_CLOCK_OFFSET_MS = 10 * 3_600_000;

/** Runs members of one name that come, go, die, freeze and are cut off, and then one that reads what is left. */
export async function runSharing(options: SharingOptions): Promise<SharingResult | MissingServer> {
  const {
    store,
    rounds,
    seed,
    onRound,
    partitions = 24,
    members = 5,
    actions = sharingActions,
    sharing = "balanced",
    transacts = false,
    settle,
    keeps = false,
    log: kind = "local",
  } = options;
  const folder = mkdtempSync(join(tmpdir(), "tidemark-sharing-"));
  await using stack = new AsyncDisposableStack();
  let keepsFolder = false;
  stack.defer(async () => {
    if (!keepsFolder) await rm(folder, { recursive: true });
  });
  const kafka = kind === "kafka" ? await launchServer("kafka") : undefined;
  if (kafka !== undefined && "missing" in kafka) return kafka;
  if (kafka !== undefined) stack.defer(() => kafka.stop());
  const logPlace =
    kafka === undefined ? { file: logFileIn(folder) } : { brokers: kafka.urls.map((url) => new URL(url).host) };
  const log = await openTestedLog(logPlace);
  stack.defer(() => log.close());
  const arena = await openArena(store, folder);
  if ("missing" in arena) return arena;
  stack.use(arena);
  await log.admin.createTopic(TOPIC, { partitions });
  const eye = await arena.open(transacts);
  stack.defer(() => eye.close());
  const place = arena.place(transacts);
  if (place === undefined) throw new TypeError(`${store} knows no processes`);
  // A step of S3's clock is a second.
  const leaseMs = store === "s3" ? 3_000 : 1_000;
  const task: Omit<MemberTask, "journalFile" | "clockOffsetMs"> = {
    ...{
      place,
      log: logPlace,
      topic: TOPIC,
      leaseMs,
      flushIntervalMs: FLUSH_INTERVAL_MS,
      workMs: WORK_MS,
      untilEnd: false,
      sharing,
      transacts,
    },
  };
  const random = randomFrom(seed);
  const group = new RunningGroup(arena, folder, task, random);
  const writer = new Writer(log, partitions, transacts ? PRODUCE_TRANSACTED_EVERY_MS : PRODUCE_EVERY_MS);
  const watcher = new PositionWatcher(eye);
  const done: Record<string, number> = {};
  while (group.members.length < members) await group.start();
  for (let round = 0; round < rounds; round += 1) {
    const possible = actions.filter((action) => group.allows(action, members));
    const action = possible[Math.floor(random() * possible.length)];
    if (action !== undefined) {
      done[action] = (done[action] ?? 0) + 1;
      onRound?.(round, action);
      await group.act(action, random);
    }
    await pause((settle ?? random()) * leaseMs);
  }
  const produced = await writer.stop();
  await group.drain();
  const violations = await watcher.stop();
  const figures = checkSharing(group.lives, { produced, unflushedMs: FLUSH_INTERVAL_MS * 5, leaseMs });
  const sink = transacts ? ((await eye.sink?.("group", partitions)) ?? []) : [];
  const all = [
    ...violations,
    ...figures.violations,
    ...sink.flatMap((offsets, at) => unlikeLog(at, offsets, produced[at])),
  ];
  keepsFolder = keeps || all.length > 0;
  return { store, version: arena.version, rounds, actions: done, folder, ...figures, violations: all };
}

/** What is wrong with the results of a partition: each record is there once. */
function unlikeLog(partition: number, offsets: readonly number[], produced = 0): string[] {
  const counts = new Map<number, number>();
  for (const offset of offsets) counts.set(offset, (counts.get(offset) ?? 0) + 1);
  const wrong: string[] = [];
  for (let offset = 0; offset < produced; offset += 1) {
    const count = counts.get(offset) ?? 0;
    if (count !== 1) wrong.push(`the result of ${partition}/${offset} is there ${count} times`);
  }
  return wrong.slice(0, 5);
}

/** The members that run, and those that did. */
class RunningGroup {
  readonly members: MemberProcess[] = [];
  readonly lives: MemberProcess[] = [];
  readonly #arena: Arena;
  readonly #folder: string;
  readonly #task: Omit<MemberTask, "journalFile" | "clockOffsetMs">;
  readonly #random: () => number;

  constructor(
    arena: Arena,
    folder: string,
    task: Omit<MemberTask, "journalFile" | "clockOffsetMs">,
    random: () => number,
  ) {
    this.#random = random;
    this.#arena = arena;
    this.#folder = folder;
    this.#task = task;
  }

  async start(untilEnd = false): Promise<MemberProcess> {
    const journalFile = join(this.#folder, `member-${this.lives.length}`);
    // Positions in a file go by the clocks of the processes, and S3 refuses who signs by a wrong one.
    const hasClock = this.#task.place.kind !== "sqlite" && this.#task.place.kind !== "s3";
    const clockOffsetMs = hasClock ? Math.round((this.#random() - 0.5) * MAX_CLOCK_OFFSET_MS) : 0;
    const member = await MemberProcess.start({
      ...this.#task,
      journalFile,
      untilEnd,
      clockOffsetMs,
      ...(untilEnd && { workMs: 0 }),
    });
    this.members.push(member);
    this.lives.push(member);
    return member;
  }

  allows(action: SharingAction, most: number): boolean {
    if (action === "start") return this.members.length < most;
    if (action === "cut") return this.members.some(({ hasLine }) => hasLine);
    if (action === "outage") return this.#task.place.kind !== "sqlite" && this.members.length > 0;
    return this.members.length > 1;
  }

  async act(action: SharingAction, random: () => number): Promise<void> {
    const at = Math.floor(random() * this.members.length);
    const member = this.members[at];
    const { leaseMs } = this.#task;
    const who = member === undefined ? "" : this.lives.indexOf(member);
    appendFileSync(join(this.#folder, "actions"), `${Date.now()} ${action} ${who}\n`);
    switch (action) {
      case "start":
        await (
          await this.start()
        ).ready;
        return;
      case "stop":
        this.members.splice(at, 1);
        await member?.stop();
        return;
      case "kill":
        this.members.splice(at, 1);
        await member?.kill();
        return;
      case "freeze":
        member?.freeze();
        await pause((1 + 1.5 * random()) * leaseMs);
        member?.thaw();
        return;
      case "cut":
        member?.cut();
        await pause((1 + 1.5 * random()) * leaseMs);
        member?.restore();
        return;
      case "outage": {
        for (const each of this.members) each.storeIsAway();
        const end = await this.#arena.disturb("cut");
        await pause(1.5 * leaseMs);
        await end();
      }
    }
  }

  /** All end in peace; one more reads what is left. */
  async drain(): Promise<void> {
    await Promise.all(this.members.splice(0).map((member) => member.stop()));
    await (
      await this.start(true)
    ).gone;
  }
}

/** Writes records for as long as the campaign continues. */
class Writer {
  readonly #log: TestedLog;
  readonly #pauseMs: number;
  readonly #counts: number[];
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(log: TestedLog, partitions: number, pauseMs: number) {
    this.#pauseMs = pauseMs;
    this.#log = log;
    this.#counts = Array.from({ length: partitions }, () => 0);
    this.#running = this.#run();
  }

  /** Gives how many records each partition got. */
  async stop(): Promise<readonly number[]> {
    this.#isOver = true;
    await this.#running;
    return this.#counts;
  }

  async #run(): Promise<void> {
    const records = Array.from({ length: BATCH }, () => ({ value: Buffer.from("x") }));
    for (let turn = 0; !this.#isOver; turn += 1) {
      const partition = turn % this.#counts.length;
      await this.#log.producer.produce(TOPIC, partition, records);
      this.#counts[partition] = (this.#counts[partition] ?? 0) + BATCH;
      if (partition === this.#counts.length - 1) await pause(this.#pauseMs);
    }
  }
}

/** Looks at the stored positions: none may ever go back. */
class PositionWatcher {
  readonly #eye: OpenedPlace;
  readonly #violations: string[] = [];
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(eye: OpenedPlace) {
    this.#eye = eye;
    this.#running = this.#run();
  }

  async stop(): Promise<readonly string[]> {
    this.#isOver = true;
    await this.#running;
    return this.#violations;
  }

  async #run(): Promise<void> {
    const highest = new Map<number, bigint>();
    while (!this.#isOver) {
      try {
        for await (const { partition, nextOffset = 0n } of this.#eye.store.list({ consumer: "group", topic: TOPIC })) {
          const before = highest.get(partition) ?? 0n;
          if (nextOffset < before)
            this.#violations.push(`partition ${partition} went back from ${before} to ${nextOffset}`);
          highest.set(partition, nextOffset);
        }
      } catch {
        // The store is away.
      }
      await pause(WATCH_EVERY_MS);
    }
  }
}

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
