import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { WriterLine } from "./writer.ts";

const WRITER = fileURLToPath(new URL("writer.ts", import.meta.url));
const WRITERS = 4;
const KILLS_EACH = 5;
/** Lines after which a writer is killed, at random up to so many. */
const MOST_LINES = 60;

/** What processes wrote that were killed at random, and one that was not. */
export interface KilledWriters {
  readonly written: number;
  readonly conflicts: number;
  /** Versions that two writes were put over. */
  readonly lost: readonly string[];
  /** What a writer found that no writer wrote, or that failed. */
  readonly damage: readonly string[];
}

/** Has processes write the same entries of a store and kills them; the last one, which nobody kills, must find all whole. */
export async function killWriters(store: string, data: string): Promise<KilledWriters> {
  const lines: WriterLine[] = [];
  const lane = async (): Promise<void> => {
    for (let kill = 0; kill < KILLS_EACH; kill += 1) {
      lines.push(...(await write([store, data, "100000"], 1 + Math.floor(Math.random() * MOST_LINES))));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, lane));
  lines.push(...(await write([store, data, "20"])));
  const written = lines.filter(({ answer }) => answer === "written");
  const replaced = written.flatMap(({ expected }) => (expected === null ? [] : [expected]));
  return {
    written: written.length,
    conflicts: lines.filter(({ answer }) => answer === "conflict").length,
    lost: replaced.filter((version, index) => replaced.indexOf(version) !== index),
    damage: lines.flatMap(({ damage }) => damage ?? []),
  };
}

async function write(args: readonly string[], killAfter?: number): Promise<WriterLine[]> {
  const child = spawn(process.execPath, [WRITER, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines: WriterLine[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(JSON.parse(line) as WriterLine);
    if (lines.length === killAfter) child.kill("SIGKILL");
  }
  const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
  if (killAfter === undefined ? code !== 0 : signal !== "SIGKILL") {
    throw new Error(`a writer ended with ${code ?? signal}`);
  }
  return lines;
}
