import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { LocalLog } from "@tidemark/source-local";
import type { Arena } from "./arenas/arena.ts";
import { logFileIn } from "./arenas/embedded.ts";
import { checkRound, type RoundFindings } from "./check-round.ts";
import type { LifeTask } from "./consume.ts";
import type { Flaw } from "./flawed-store.ts";
import { liveInProcess } from "./in-process-life.ts";
import { type Journal, openJournal, type Positions, readJournal } from "./journal.ts";
import type { Life } from "./life.ts";
import type { OpenedPlace } from "./places/place.ts";
import { type LifeEnd, type LifePlan, type RoundPlan, STORE_TIMEOUT_MS } from "./round-plan.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** What the rounds of a campaign share. */
export interface RoundSurroundings {
  readonly arena: Arena;
  readonly pool: WorkerPool | undefined;
  readonly log: LocalLog;
  /** Has the log's file, and gets the journals. */
  readonly folder: string;
  /** The store as the campaign itself sees it, by whether transactions are used. */
  readonly eye: (transactional: boolean) => Promise<OpenedPlace>;
  readonly flaw: Flaw | undefined;
  /** Milliseconds after which what does not come about has failed. Nothing waits so long otherwise. */
  readonly patience: number;
}

/** What came of a round. */
export interface RoundResult extends RoundFindings {
  readonly plan: RoundPlan;
  readonly milliseconds: number;
  /** The journal, if it was kept because of violations. */
  readonly journalFile: string | undefined;
}

/** A frozen process may hold what its successor needs; after this it continues all the same. */
const FROZEN_MS = 1_000;
const IN_COMMIT_LIMIT_MS = 300;
const CAMPAIGN = "campaign";

/** Carries out a round as planned, and checks it. */
export async function runRound(plan: RoundPlan, surroundings: RoundSurroundings): Promise<RoundResult> {
  const { log, folder } = surroundings;
  const name = `round-${plan.round}`;
  const startedAt = performance.now();
  const journalFile = join(folder, `${name}.jsonl`);
  await log.admin.createTopic(name, { partitions: plan.partitions });
  const values = Array.from({ length: plan.records }, () => ({ value: Buffer.from("x") }));
  for (let partition = 0; partition < plan.partitions; partition += 1) {
    await log.producer.produce(name, partition, values);
  }
  const round = new Round(plan, surroundings, name, journalFile);
  try {
    await round.run();
  } finally {
    await round.end();
  }
  const findings = checkRound(plan, readJournal(journalFile));
  await log.admin.deleteTopic(name);
  const isKept = findings.violations.length > 0;
  if (!isKept) rmSync(journalFile);
  return {
    ...findings,
    plan,
    milliseconds: Math.round(performance.now() - startedAt),
    journalFile: isKept ? journalFile : undefined,
  };
}

const LAST_LOOKS = 20;
const LOOK_AGAIN_MS = 500;

class Round {
  readonly #plan: RoundPlan;
  readonly #surroundings: RoundSurroundings;
  readonly #name: string;
  readonly #journalFile: string;
  readonly #journal: Journal;
  readonly #transactional: boolean;
  readonly #alive = new Set<Life>();
  readonly #troubles: Promise<void>[] = [];

  constructor(plan: RoundPlan, surroundings: RoundSurroundings, name: string, journalFile: string) {
    this.#plan = plan;
    this.#surroundings = surroundings;
    this.#name = name;
    this.#journalFile = journalFile;
    this.#journal = openJournal(journalFile);
    this.#transactional = plan.lives.some(({ strategy }) => strategy === "transaction");
  }

  async run(): Promise<void> {
    let predecessor: { readonly life: Life; readonly end: LifeEnd } | undefined;
    for (const [index, planned] of this.#plan.lives.entries()) {
      const life = await this.#start(index, planned);
      this.#plantTroubles(index);
      if (predecessor !== undefined) await this.#hasSuccessor(predecessor, life);
      await this.#untilEnd(life, planned.end);
      if (predecessor !== undefined) {
        // It has to hear of its successor, however long it slept.
        await this.#within(predecessor.life.over, "a superseded session to hear of it");
        await this.#kill(predecessor.life);
        predecessor = undefined;
      }
      if (planned.end.kind === "freeze" || planned.end.kind === "supersede") predecessor = { life, end: planned.end };
      else await this.#kill(life);
      await this.#observe();
    }
    await Promise.all(this.#troubles);
    await this.#readToTheEnd();
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.#troubles);
    await Promise.all([...this.#alive].map((life) => life.kill()));
    this.#journal.close();
  }

  async #start(worker: number, { end, ...life }: LifePlan): Promise<Life> {
    const { arena, pool, folder, log } = this.#surroundings;
    const task = { ...this.#task(worker, life), untilEnd: false, flaw: this.#surroundings.flaw };
    const place = arena.place(this.#transactional);
    const started =
      pool === undefined || place === undefined
        ? liveInProcess({ task, end, source: log, journal: this.#journal, open: () => arena.open(this.#transactional) })
        : await pool.live({
            type: "live",
            task,
            place,
            end,
            logFile: logFileIn(folder),
            journalFile: this.#journalFile,
            timeout: STORE_TIMEOUT_MS,
          });
    this.#alive.add(started);
    return started;
  }

  #task(worker: number, life: Omit<LifePlan, "end">): Omit<LifeTask, "untilEnd" | "flaw"> {
    return { worker, name: this.#name, partitions: this.#plan.partitions, life };
  }

  /** Lets a life continue until its planned end is there, and sets that off. */
  async #untilEnd(life: Life, end: LifeEnd): Promise<void> {
    if (end.kind === "kill-early") return pause(end.afterMs);
    await this.#within(life.ready, `session ${life.worker} to be ready`);
    if (end.kind === "kill-in-commit") {
      await Promise.race([life.over, pause(IN_COMMIT_LIMIT_MS)]);
      return undefined;
    }
    await pause(end.afterMs);
    if (end.kind === "leave") {
      life.leave();
      // In an outage it takes as long as that.
      await this.#within(life.over, `session ${life.worker} to leave`);
    } else if (end.kind === "freeze") {
      life.freeze();
      this.#journal.write(CAMPAIGN, { what: "frozen", worker: life.worker });
    }
    return undefined;
  }

  /** What becomes of a life when its successor has started. */
  async #hasSuccessor({ life, end }: { life: Life; end: LifeEnd }, successor: Life): Promise<void> {
    life.replaced();
    if (end.kind === "freeze") {
      await Promise.race([successor.ready, pause(FROZEN_MS)]);
      await pause(end.thawAfterMs);
      life.thaw();
    }
    // Killed before it has claimed, it would be no successor.
    await this.#within(successor.ready, `session ${successor.worker} to take over`);
  }

  async #kill(life: Life): Promise<void> {
    this.#alive.delete(life);
    await life.kill();
    this.#journal.write(CAMPAIGN, { what: "killed", worker: life.worker });
  }

  /** What happens to the server and to the log while a life lasts. */
  #plantTroubles(index: number): void {
    const { fault, retention } = this.#plan;
    if (fault?.duringLife === index) {
      this.#plant(async () => {
        await pause(fault.atMs);
        this.#journal.write(CAMPAIGN, { what: "fault", kind: fault.kind });
        const heal = await this.#surroundings.arena.disturb(fault.kind);
        await pause(fault.lastsMs);
        await heal();
        this.#journal.write(CAMPAIGN, { what: "healed" });
      });
    }
    if (retention?.duringLife === index) {
      this.#plant(async () => {
        await pause(retention.atMs);
        const { partition, before } = retention;
        this.#journal.write(CAMPAIGN, { what: "retained", partition, before });
        await this.#surroundings.log.deleteRecords(this.#name, partition, BigInt(before));
      });
    }
  }

  #plant(trouble: () => Promise<void>): void {
    const planted = trouble().catch((error: unknown) => {
      this.#journal.write(CAMPAIGN, { what: "gave-up", why: `its own trouble failed: ${String(error)}` });
    });
    this.#troubles.push(planted);
  }

  /** Looks at the positions, and at what transactions have written, from outside. In an outage it looks another time. */
  /** Looks from outside; gives whether there was anything to be seen. */
  async #observe(): Promise<boolean> {
    const keys = Array.from({ length: this.#plan.partitions }, (_, partition) => ({
      consumer: this.#name,
      topic: this.#name,
      partition,
    }));
    try {
      const { store, sink } = await this.#surroundings.eye(this.#transactional);
      this.#journal.write(CAMPAIGN, { what: "observing" });
      const positions = async (): Promise<Positions> =>
        (await store.fetch(keys)).map((outcome, partition) => {
          if (outcome.status === "failed") throw outcome.error;
          const nextOffset = outcome.status === "found" ? outcome.record.nextOffset : undefined;
          return [partition, nextOffset === undefined ? null : Number(nextOffset)];
        });
      let seen = await positions();
      let written: number[][] | undefined;
      // What a killed process had sent may still arrive: the two have to be of one moment.
      while (this.#transactional && sink !== undefined) {
        written = await sink(this.#name, this.#plan.partitions);
        const after = await positions();
        if (JSON.stringify(after) === JSON.stringify(seen)) break;
        seen = after;
      }
      this.#journal.write(CAMPAIGN, { what: "observed", positions: seen, sink: written });
      return true;
    } catch {
      // In an outage there is nothing to be seen.
      return false;
    }
  }

  /** The last consumer of the round: what is left must be all that is missing. */
  async #readToTheEnd(): Promise<void> {
    const { arena, log } = this.#surroundings;
    const strategy = this.#transactional ? "transaction" : "auto";
    // Nothing has to be flushed before the end.
    const life = { strategy, flushInterval: 30_000, ttl: undefined, maxUnflushedAge: 60_000, window: 1 } as const;
    const task = this.#task(this.#plan.lives.length, { ...life, recordsPerPause: 1_000_000 });
    const last = liveInProcess({
      task: { ...task, untilEnd: true, flaw: undefined },
      source: log,
      journal: this.#journal,
      open: () => arena.open(this.#transactional),
    });
    this.#alive.add(last);
    await this.#within(last.over, "the last consumer to reach the end");
    this.#alive.delete(last);
    await last.kill();
    // A connection of the observer's own may have died with the server: what is stored in the end has to be seen.
    for (let attempt = 0; attempt < LAST_LOOKS && !(await this.#observe()); attempt += 1) await pause(LOOK_AGAIN_MS);
  }

  async #within(event: Promise<void>, what: string): Promise<void> {
    const { patience } = this.#surroundings;
    const limit = new AbortController();
    const late = pause(patience, "late", { signal: limit.signal }).catch(() => undefined);
    const outcome = await Promise.race([event, late]);
    limit.abort();
    if (outcome !== "late") return;
    this.#journal.write(CAMPAIGN, { what: "gave-up", why: `waited ${patience} ms for ${what}` });
  }
}
