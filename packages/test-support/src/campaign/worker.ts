/**
 * A consumer process of a campaign. It is started ahead of time, loads what its kind of store needs, and waits for its task:
 *
 *     worker.ts KIND
 */
import { type LocalLog, openLocalLog } from "@tidemark/source-local";
import { consume, type LifeTask } from "./consume.ts";
import { openJournal } from "./journal.ts";
import { openPlace } from "./places/open-place.ts";
import type { Place } from "./places/place.ts";
import type { LifeEnd } from "./round-plan.ts";

/** What a worker is sent. */
export type WorkerMessage =
  | {
      readonly type: "live";
      readonly task: LifeTask;
      readonly place: Place;
      readonly logFile: string;
      readonly journalFile: string;
      readonly timeout: number;
      readonly end: LifeEnd;
    }
  | { readonly type: "leave" | "replaced" };

/** What a worker says. */
export type WorkerState = "loaded" | "ready" | "over";

const MAX_TIMEOUT_MS = 10_000;

const [kind = ""] = process.argv.slice(2);
if (kind === "sqlite" || kind === "postgres" || kind === "redis" || kind === "mongo" || kind === "s3") {
  await import(`./places/${kind}.ts`);
}
let source: LocalLog | undefined;
/** The life that this process lives; it may live several, one after the other, until one is killed. */
let current = { leaving: new AbortController(), isReplaced: false, isOver: false };

process.on("disconnect", () => process.exit(1));
process.on("message", (message: WorkerMessage) => {
  if (message.type === "live") void live(message);
  else if (message.type === "leave") current.leaving.abort();
  else current.isReplaced = true;
});
say("loaded");

async function live({ task, place, end, timeout, ...files }: Extract<WorkerMessage, { type: "live" }>): Promise<void> {
  const life = { leaving: new AbortController(), isReplaced: false, isOver: false };
  current = life;
  source ??= await openLocalLog({ file: files.logFile, synchronous: "normal" });
  const journal = openJournal(files.journalFile);
  let commits = 0;
  await consume(task, {
    source,
    journal,
    // On a machine that is too busy for the first time-out the next one is longer.
    open: (attempt) => openPlace(place, Math.min(timeout * 2 ** attempt, MAX_TIMEOUT_MS)),
    leaving: life.leaving.signal,
    isReplaced: () => life.isReplaced,
    gate: () => undefined,
    notify(state) {
      life.isOver ||= state === "over";
      say(state);
    },
    hooks: {
      sent() {
        commits += 1;
        if (end.kind === "kill-in-commit" && commits === end.nth && end.turns !== "answered") dieAfter(end.turns);
      },
      answered() {
        if (end.kind === "kill-in-commit" && commits === end.nth && end.turns === "answered") die();
      },
    },
  });
  journal.close();
}

function say(state: WorkerState): void {
  process.send?.(state);
}

function dieAfter(turns: number): void {
  const life = current;
  if (turns === 0) die();
  else setImmediate(() => (life.isOver ? undefined : dieAfter(turns - 1)));
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
