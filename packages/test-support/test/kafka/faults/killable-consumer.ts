import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PROGRAM_OPTIONS } from "@tidemark/test-support";

const worker = fileURLToPath(new URL("../../../src/crash/consume-kafka-until-killed.ts", import.meta.url));

/** Where a consumer in a process of its own reads from, and keeps its positions. */
export interface KillableConsumerOptions {
  readonly logUrl: string;
  readonly storeUrl: string;
  readonly namespace: string;
  readonly topic: string;
  readonly consumer: string;
  readonly flushIntervalMs: number;
  readonly processedFile: string;
}

/** A consumer in a process of its own. */
export interface KillableConsumer {
  /** Resolves when it worked on its first record, or ended. */
  readonly begun: Promise<unknown>;
  /** What it worked on up to now, in order. */
  processed(): Processed[];
  /** Ends it with SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Asks it to close everything, and waits until the process ends by itself. Tells how it ended. */
  close(): Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/** One record that was worked on. */
export interface Processed {
  readonly partition: number;
  readonly offset: bigint;
  readonly value: string;
  readonly atMs: number;
}

/** Starts one. */
export function startKillableConsumer(options: KillableConsumerOptions): KillableConsumer {
  const { logUrl, storeUrl, namespace, topic, consumer, flushIntervalMs, processedFile } = options;
  const child: ChildProcess = spawn(
    process.execPath,
    [
      ...PROGRAM_OPTIONS,
      worker,
      ...[logUrl, storeUrl, namespace, topic, consumer, String(flushIntervalMs), processedFile],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  const begun = Promise.race([child.stdout === null ? exited : once(child.stdout, "data"), exited]);
  return {
    begun,
    processed: () => (existsSync(processedFile) ? parse(readFileSync(processedFile, "utf8")) : []),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    async close() {
      child.kill("SIGTERM");
      const [code, signal] = await exited;
      return { code, signal };
    },
  };
}

/** A line that the kill cut short was not written whole: its record was not worked on. */
function parse(text: string): Processed[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const [partition = "", offset = "", value = "", atMs = ""] = line.split(" ");
      return { partition: Number(partition), offset: BigInt(offset), value, atMs: Number(atMs) };
    });
}
