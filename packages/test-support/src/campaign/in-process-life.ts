import type { ClaimOutcome, CommitOutcome, LogSource } from "@tidemark/core";
import { consume, type LifeTask } from "./consume.ts";
import { replacing } from "./flawed-store.ts";
import type { Journal } from "./journal.ts";
import type { Life } from "./life.ts";
import type { OpenedPlace } from "./places/place.ts";
import type { LifeEnd } from "./round-plan.ts";

/** What a life in this process is made of. */
export interface InProcessLife {
  readonly task: LifeTask;
  readonly source: LogSource;
  readonly journal: Journal;
  readonly open: () => Promise<OpenedPlace>;
  readonly end?: LifeEnd;
}

/**
 * A life in this process: for what dies with its process, and for the last consumer of each round. Killed, it is abandoned
 * where it stands: whatever it waits for never comes, its loop is never continued, and its store is never asked again.
 */
export function liveInProcess({ task, source, journal, open, end }: InProcessLife): Life {
  const leaving = new AbortController();
  const abandoned = new AbortController();
  const ready = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  let isDead = false;
  let frozen: PromiseWithResolvers<void> | undefined;
  let isReplaced = false;
  let commits = 0;
  const die = (): void => {
    isDead = true;
    frozen = undefined;
    ready.resolve();
    over.resolve();
    // Not here and now: a kill falls where it falls.
    setImmediate(() => abandoned.abort());
  };
  const gate = (): Promise<void> | undefined => (isDead ? new Promise(() => undefined) : frozen?.promise);
  const passed = async (): Promise<void> => {
    for (let closed = gate(); closed !== undefined; closed = gate()) await closed;
  };
  const life = consume(task, {
    source,
    journal: {
      write(who, happening) {
        if (!isDead) journal.write(who, happening);
      },
      close: () => undefined,
    },
    leaving: leaving.signal,
    abandoned: abandoned.signal,
    isReplaced: () => isReplaced,
    gate: () => (isDead || frozen !== undefined ? passed() : undefined),
    notify: (state) => (state === "ready" ? ready.resolve() : over.resolve()),
    hooks: {
      sent() {
        commits += 1;
        if (end?.kind === "kill-in-commit" && commits === end.nth) die();
      },
      answered: () => undefined,
    },
    async open() {
      await passed();
      const place = await open();
      const { store } = place;
      const behindGate = async <Answer>(call: () => Promise<Answer>): Promise<Answer> => {
        // Asked at once, so that a kill at a commit finds it under way.
        if (isDead || frozen !== undefined) await passed();
        const answer = await call();
        await passed();
        return answer;
      };
      return {
        ...place,
        store: replacing(store, {
          claim: (entries, options) => behindGate<ClaimOutcome[]>(() => store.claim(entries, options)),
          commit: (entries, options) => behindGate<CommitOutcome[]>(() => store.commit(entries, options)),
        }),
      };
    },
  });
  life.catch(over.reject);
  return {
    worker: task.worker,
    ready: ready.promise,
    over: over.promise,
    async kill() {
      die();
    },
    freeze: () => (frozen ??= Promise.withResolvers()),
    thaw() {
      frozen?.resolve();
      frozen = undefined;
    },
    replaced() {
      isReplaced = true;
    },
    leave: () => leaving.abort(),
  };
}
