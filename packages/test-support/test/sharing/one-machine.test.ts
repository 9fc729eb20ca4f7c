import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { openLocalLog } from "@tidemark/source-local";
import { expect, onTestFinished, test } from "vitest";
import { MemberProcess } from "../../src/sharing-campaign/member-process.ts";

const LEASE_MS = 3_000;
const PATIENCE_MS = 60_000;

async function makeLog(logFile: string): Promise<void> {
  await using log = await openLocalLog({ file: logFile, synchronous: "normal" });
  await log.admin.createTopic("orders", { partitions: 4 });
  for (let partition = 0; partition < 4; partition += 1)
    await log.producer.produce("orders", partition, [{ value: Buffer.from("x") }]);
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-machine-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function eventually(condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > endsAt) throw new Error(`not within ${PATIENCE_MS} ms: ${String(condition)}`);
    await pause(10);
  }
}

interface ThreadMessage {
  readonly type: string;
  readonly reason?: string;
  readonly partitions?: readonly number[];
}

function startThread(file: string): { readonly worker: Worker; readonly heard: ThreadMessage[] } {
  const worker = new Worker(new URL("thread.ts", import.meta.url), {
    workerData: { file, leaseMs: LEASE_MS },
    execArgv: ["--conditions=@tidemark/source", "--disable-warning=ExperimentalWarning"],
  });
  const heard: ThreadMessage[] = [];
  worker.on("message", (message: ThreadMessage) => heard.push(message));
  return { worker, heard };
}

test("threads of one process are members each; one that ends is found silent, though its process lives (contract 8.2, 8.7)", async () => {
  const file = join(makeFolder(), "positions.db");
  await makeLog(`${file}.log`);
  const first = startThread(file);
  onTestFinished(async () => void (await first.worker.terminate()));
  await eventually(() => first.heard.some(({ type }) => type === "created"));
  const second = startThread(file);
  onTestFinished(async () => void (await second.worker.terminate()));
  const assigned = (): number =>
    second.heard.filter(({ type }) => type === "assigned").flatMap(({ partitions = [] }) => partitions).length;
  await eventually(() => assigned() === 2);
  await eventually(() => first.heard.some(({ type }) => type === "revoked"));
  expect(first.heard.filter(({ type }) => type === "revoked")).toEqual([{ type: "revoked", reason: "rebalanced" }]);
  await first.worker.terminate();
  await eventually(() => assigned() === 4);
  expect(second.heard.filter(({ type }) => type === "revoked")).toEqual([]);
});

test("containers with one hostname, in each of them process 1: nobody takes the other for dead (contract 8.2)", async ({
  skip,
}) => {
  if (process.getuid?.() !== 0) skip("a namespace of process numbers needs root");
  const folder = makeFolder();
  const file = join(folder, "tidemark.db");
  await makeLog(file);
  const container = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const task = {
    ...{ place: { kind: "sqlite", file } as const, log: { file }, topic: "orders", leaseMs: LEASE_MS },
    ...{
      flushIntervalMs: 20,
      workMs: 0,
      untilEnd: false,
      sharing: "balanced" as const,
      transacts: false,
      clockOffsetMs: 0,
    },
  };
  const start = async (name: string): Promise<MemberProcess> => {
    const member = await MemberProcess.start({ ...task, journalFile: join(folder, name) }, container);
    onTestFinished(() => member.kill());
    await member.ready;
    return member;
  };
  const events = (name: string): string[] =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8").split("\n") : [];
  const assigned = (name: string): number =>
    events(name)
      .filter((line) => line.startsWith("assigned "))
      .flatMap((line) => (line.split(" ")[2] ?? "").split(",")).length;
  const first = await start("first");
  await start("second");
  await eventually(() => assigned("second") === 2);
  await pause(4 * LEASE_MS);
  // Each sees no process of the other's number: nothing is taken for dead by that.
  for (const name of ["first", "second"])
    expect(events(name).filter((line) => line.startsWith("revoked") && !line.endsWith("rebalanced"))).toEqual([]);
  await first.kill();
  await eventually(() => assigned("second") === 4);
});
