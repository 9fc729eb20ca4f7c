import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

// How long reading is spread, so that a kill in the middle falls between flushes and not before the first.
const PACE_LINES = 50;
const PACE_MS = 5;

/** What one consuming process read. */
export interface Consumed {
  readonly pid: number | undefined;
  readonly signal: NodeJS.Signals | null;
  readonly records: readonly { readonly offset: number; readonly value: string }[];
  readonly offsets: readonly number[];
}

/** The command line as processes, on one file for the log and the positions. */
export class Tidemark {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Runs a command to its end, with lines on its standard input; gives what it printed. */
  async run(command: readonly string[], lines: readonly string[] = []): Promise<string> {
    const child = this.#spawn(command);
    const printed = child.stdout === null ? Promise.resolve("") : text(child.stdout);
    child.stdin?.end(lines.map((line) => `${line}\n`).join(""));
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`tidemark ${command.join(" ")} exited with ${String(code)}`);
    return printed;
  }

  /** Runs `consume` and counts what it prints; kills it in the middle if that is asked for. */
  async consume(command: readonly string[], { killAfterLines }: { killAfterLines?: number }): Promise<Consumed> {
    const child = this.#spawn([...command, "--output", "json"]);
    const exited = once(child, "exit");
    const records: { offset: number; value: string }[] = [];
    if (child.stdout === null) throw new Error("no standard output");
    // Pauses between lines leave the pipe full, and the consumer waiting: it is in the middle when the kill comes.
    for await (const line of createInterface({ input: child.stdout })) {
      const record = parse(line);
      // The kill may cut the last line short: that record was not read, and its position not committed.
      if (record === undefined && child.killed) break;
      if (record === undefined) throw new Error(`not a record: ${line}`);
      records.push({ offset: Number(record.offset), value: record.value });
      if (records.length === killAfterLines) child.kill("SIGKILL");
      if (killAfterLines !== undefined && records.length % PACE_LINES === 0) {
        await new Promise((resolve) => setTimeout(resolve, PACE_MS));
      }
    }
    const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
    if (code !== 0 && signal === null) throw new Error(`tidemark consume exited with ${String(code)}`);
    return { pid: child.pid, signal, records, offsets: records.map(({ offset }) => offset) };
  }

  #spawn(command: readonly string[]): ChildProcess {
    const settings = ["--store", `sqlite:${this.#file}`, "--log", `local:${this.#file}`];
    return spawn(process.execPath, [...process.execArgv, commandLine(), ...settings, ...command], {
      stdio: ["pipe", "pipe", "inherit"],
    });
  }
}

function commandLine(): string {
  const manifest = createRequire(import.meta.url).resolve("@tidemark/cli/package.json");
  return join(dirname(manifest), "src", "bin.ts");
}

function parse(line: string): { offset: string; value: string } | undefined {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof record !== "object" || record === null || !("offset" in record) || !("value" in record)) return undefined;
  const { offset, value } = record;
  return typeof offset === "string" && typeof value === "string" ? { offset, value } : undefined;
}
