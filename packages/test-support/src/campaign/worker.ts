/**
 * A consumer process of a campaign. It is started ahead of time, loads what its kind of store needs, and waits for its task:
 *
 *     worker.ts KIND
 */
import { openLocalLog } from "@tidemark/source-local";
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

const [kind = ""] = process.argv.slice(2);
if (kind === "sqlite" || kind === "redis" || kind === "mongo" || kind === "s3") {
  await import(`./places/${kind}.ts`);
}
const leaving = new AbortController();
let isReplaced = false;
let commits = 0;

process.on("disconnect", () => process.exit(1));
process.on("message", (message: WorkerMessage) => {
  if (message.type === "live") void live(message);
  else if (message.type === "leave") leaving.abort();
  else isReplaced = true;
});
say("loaded");

async function live(message: Extract<WorkerMessage, { type: "live" }>): Promise<void> {
  const { task, place, end, timeout } = message;
  const source = await openLocalLog({ file: message.logFile, synchronous: "normal" });
  await consume(task, {
    source,
    journal: openJournal(message.journalFile),
    open: () => openPlace(place, timeout),
    leaving: leaving.signal,
    isReplaced: () => isReplaced,
    gate: () => undefined,
    notify: say,
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
}

function say(state: WorkerState): void {
  process.send?.(state);
}

function dieAfter(turns: number): void {
  if (turns === 0) die();
  else setImmediate(() => dieAfter(turns - 1));
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
