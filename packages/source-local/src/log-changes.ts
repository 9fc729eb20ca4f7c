import { type FSWatcher, watch } from "node:fs";
import type { LogDatabase } from "./log-database.ts";

/**
 * Pauses between the looks that follow one sign of a write. A writer's frames are seen in the -wal file before its commit
 * is: the commit itself goes through shared memory, which no file system reports, and follows after the disk's flush.
 */
const LOOKS_MS = [0, 1, 2, 4, 8, 16, 32, 64];
const FALLBACK_MS = 250;

/** What a fetch at the log's end waits for. */
export interface AwaitedChange {
  readonly topic: string;
  readonly partition: number;
  /** What `version` was before the log was found to have nothing more. */
  readonly since: bigint;
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Waiter {
  readonly topic: string;
  readonly partition: number;
  wake(): void;
}

/**
 * Wakes the fetches that wait at the log's end when records are written: in this process at once; others are noticed
 * by watching the -wal file, and by a slow look where a file system does not report changes. Nothing runs while no caller waits.
 */
export class LogChanges {
  readonly #database: LogDatabase;
  readonly #waiters = new Set<Waiter>();
  #watcher: FSWatcher | undefined;
  #fallback: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  #looks = 0;
  #seen = 0n;

  constructor(database: LogDatabase) {
    this.#database = database;
  }

  /** Changes when another connection wrote to the file. */
  version(): bigint {
    return this.#database.dataVersion();
  }

  /** Resolves when there may be something new, or the time is up. Rejects on abort and when the log is closed. */
  next({ topic, partition, since, waitMs, signal }: AwaitedChange): Promise<void> {
    const { closing } = this.#database;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        closing.removeEventListener("abort", end);
        this.#waiters.delete(waiter);
        if (this.#waiters.size === 0) this.#stop();
        if (signal?.aborted === true) reject(signal.reason);
        else if (closing.aborted) reject(closing.reason);
        else resolve();
      };
      const waiter = { topic, partition, wake: end };
      const timer = setTimeout(end, waitMs);
      signal?.addEventListener("abort", end, { once: true });
      closing.addEventListener("abort", end, { once: true });
      this.#waiters.add(waiter);
      if (signal?.aborted === true || closing.aborted) return end();
      if (this.#waiters.size === 1) this.#start(since);
      else if (this.version() !== since) end();
      else this.#sawVersion(since, waiter);
    });
  }

  /** Who waits since an earlier version looks again; to whom has seen this one it says nothing. */
  #sawVersion(version: bigint, by: Waiter): void {
    if (this.#seen === version) return;
    this.#seen = version;
    for (const waiter of this.#waiters) if (waiter !== by) waiter.wake();
  }

  /** Wakes who waits for this topic, or for this partition of it. */
  wake(topic: string, partition?: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.topic === topic && (partition === undefined || waiter.partition === partition)) waiter.wake();
    }
  }

  #start(since: bigint): void {
    this.#seen = since;
    try {
      // Not persistent: the fetch's own timer is what keeps the process alive, and for no longer than the fetch.
      this.#watcher = watch(`${this.#database.file}-wal`, { persistent: false }, () => this.#lookAgain());
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // Nothing to watch, or the system's watches are used up: the slow look remains.
    }
    this.#fallback = setInterval(() => this.#check(), FALLBACK_MS).unref();
    // The write that began before the watch did leaves no sign.
    this.#lookAgain();
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    clearInterval(this.#fallback);
    clearTimeout(this.#look);
    this.#look = undefined;
  }

  #lookAgain(): void {
    this.#looks = 0;
    if (this.#look === undefined) this.#scheduleLook();
  }

  #scheduleLook(): void {
    this.#look = setTimeout(() => {
      this.#look = undefined;
      this.#looks += 1;
      this.#check();
      if (this.#waiters.size > 0 && this.#looks < LOOKS_MS.length) this.#scheduleLook();
    }, LOOKS_MS[this.#looks]).unref();
  }

  #check(): void {
    let version: bigint;
    try {
      // No other process would write to a file that is gone: the fetch would wait for nothing.
      this.#database.refuseIfReplaced();
      version = this.version();
    } catch {
      // The fetch itself will meet what is wrong with the file, and report it.
      version = -1n;
    }
    if (version === this.#seen) return;
    this.#seen = version;
    for (const waiter of this.#waiters) waiter.wake();
  }
}
