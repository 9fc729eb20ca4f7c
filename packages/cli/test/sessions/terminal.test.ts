import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { type AtTerminal, startAtTerminal } from "../support/terminal.ts";
import { installStoreWith } from "../support/install-package.ts";
import { createWorkspace, eventually, numberedLines, type Workspace } from "../support/workspace.ts";

/** How long a command may take to end: much longer than it waits for a terminal. */
const PATIENCE_MS = 15_000;
/** At most so many of the lines are written before the first write is known to wait. */
const PIECE_LINES = 100;

test.each([
  ["n\r", 1],
  ["\r", 1],
  ["\u0003", 1],
  ["\u0004", 1],
  ["y\r", 0],
  ["yes\r", 0],
])("topic delete asks at a terminal: %j ends with %i", async (answer, code) => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create orders");
  await workspace.out("consume orders -c billing --until-end");
  const terminal = startAtTerminal(workspace, ["topic", "delete", "orders"]);
  await terminal.shows('delete topic "orders" with all its records, and the positions of 1 consumer on it? [y/N] ');
  terminal.type(answer);
  expect(await terminal.ended).toBe(code);
  expect(terminal.shown()).toContain(code === 0 ? 'topic "orders" deleted' : "nothing was deleted");
  expect(JSON.parse(await workspace.out("topic list -O json"))).toHaveLength(code);
});

test("consumer delete asks at a terminal, and not with --yes, nor where there is nothing to delete", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create orders --partitions 2");
  await out("produce orders", numberedLines(1, 2));
  await out("consume orders -c billing --all --until-end");
  const asked = startAtTerminal(workspace, ["consumer", "delete", "billing"]);
  await asked.shows('delete 2 positions of consumer "billing"? [y/N] ');
  asked.type("no\r");
  expect(await asked.ended).toBe(1);
  expect(await startAtTerminal(workspace, ["consumer", "delete", "nobody"]).ended).toBe(1);
  expect(await startAtTerminal(workspace, ["consumer", "delete", "billing", "--yes"]).ended).toBe(0);
  expect(await out("consumer list -O json")).toBe("[]\n");
});

test("a position that cannot be read is counted where deleting asks, and is deleted", async () => {
  await using workspace = await createWorkspace();
  const { out, folder } = workspace;
  await out("topic create orders --partitions 2");
  const breakOne = async (): Promise<void> => {
    await out("consume orders -c billing --all --until-end");
    using database = new DatabaseSync(join(folder, "data", "tidemark", "tidemark.db"));
    database.exec("UPDATE tidemark_offsets SET value = 'seven' WHERE partition = 1");
  };
  await breakOne();
  const consumer = startAtTerminal(workspace, ["consumer", "delete", "billing"]);
  await consumer.shows('delete 2 positions of consumer "billing", of which 1 cannot be read? [y/N] ');
  consumer.type("yes\r");
  expect(await consumer.ended).toBe(0);
  expect(await out("consumer export")).toBe("");
  await breakOne();
  const topic = startAtTerminal(workspace, ["topic", "delete", "orders"]);
  await topic.shows("with all its records, and the positions of 1 consumer on it? [y/N] ");
  topic.type("yes\r");
  expect(await topic.ended).toBe(0);
  expect(await out("consumer export")).toBe("");
});

test("produce at a terminal says what to do", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create orders");
  const terminal = startAtTerminal(workspace, ["produce", "orders"]);
  await terminal.shows("type a record and press Enter, each on a line of its own; Ctrl-D ends");
  terminal.type("one\r");
  terminal.type("\u0004");
  await terminal.shows('1 record written to topic "orders"');
  expect(await terminal.ended).toBe(0);
  expect(await workspace.out("consume orders --until-end")).toBe("one\n");
});

test("a terminal has colour, unless NO_COLOR is set; a pipe has none", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create orders");
  await workspace.out("consume orders -c billing --until-end");
  const list = ["consumer", "list", "--log", "local:other.db"];
  const colourful = startAtTerminal(workspace, list);
  await colourful.ended;
  expect(colourful.shown()).toContain("\u001b[1mCONSUMER");
  expect(colourful.shown()).toContain("\u001b[33mwarning:");
  const plain = startAtTerminal(workspace, list, { environment: { NO_COLOR: "1" } });
  await plain.ended;
  expect(plain.shown()).toMatch(/warning: [^]*CONSUMER/);
  expect(plain.shown()).not.toContain("\u001b");
  expect((await workspace.run(list)).stdout).not.toContain("\u001b");
});

test("progress and what is said never share a line", async () => {
  await using workspace = await createWorkspace();
  const { out, folder } = workspace;
  await out("topic create orders");
  await out("produce orders", numberedLines(1, 200_000));
  const reader = startAtTerminal(workspace, ["consume", "orders", "-c", "c1", "--until-end", "--verbose"], {
    after: "> lines.txt",
  });
  expect(await reader.ended).toBe(0);
  expect(await readFile(join(folder, "lines.txt"), "utf8")).toBe(numberedLines(1, 200_000));
  // What is removed is removed before the next is written.
  for (const line of reader.shown().split("\r\n")) {
    const left = line.split("\r\u001b[K").at(-1) ?? "";
    expect(left).not.toMatch(/records? read./);
  }
});

test("consumer list --watch shows what changes until Ctrl-C", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create orders");
  await workspace.out("consume orders -c billing --until-end");
  const watching = workspace.start(["consumer", "list", "--watch"]);
  expect(await watching.lines(2)).toEqual([
    expect.stringMatching(/^CONSUMER +PARTITIONS +LAG +TOPICS +OWNERS$/),
    expect.stringMatching(/^billing +1 +0 +orders +-$/),
  ]);
  await workspace.out("produce orders", numberedLines(1, 7));
  for (let count = 5; !/^billing +1 +7 /m.test(watching.stdout()); count += 3) await watching.lines(count);
  watching.kill("SIGINT");
  expect((await watching.ended).code).toBe(0);
  expect((await workspace.run(["consumer", "list", "--watch", "-O", "json"])).code).toBe(2);
});

test("consumer list --watch goes on when the store fails in between, and says so once", async () => {
  await using workspace = await createWorkspace();
  const told = `globalThis.lists ??= 0;
    return (...call) => {
      globalThis.lists += 1;
      if (globalThis.lists === 2 || globalThis.lists === 3) throw new Error("cut off");
      return store.list(...call);
    };`;
  await installStoreWith(workspace, "list", told);
  await workspace.out("consumer import --store foo:x --execute --consumer billing", "orders,0,0\n");
  const watching = workspace.start(["consumer", "list", "--watch", "--store", "foo:x"]);
  // The table of the first look, an empty line, and that of the fourth.
  await watching.lines(5);
  watching.kill("SIGINT");
  const { code, stderr } = await watching.ended;
  expect(code).toBe(0);
  expect(stderr.match(/cut off/g)).toHaveLength(1);
  expect(stderr).toContain("no list, trying again: cut off\n");
});

test.each([
  ["", "consume t -c c1 --flush 50"],
  ["at the end of its count, ", "consume t -c c1 --flush 50 -n 100"],
])(
  "a terminal that is stopped by Ctrl-S, %sdoes not keep consume from ending at the first SIGTERM",
  async (_, args) => {
    await using workspace = await createWorkspace();
    await workspace.out("topic create t");
    await workspace.out("produce t", numberedLines(1, 100));
    await using stopped = await startAtStoppedTerminal(workspace, args.split(" "));
    await stopped.end();
    // Of what it wrote the terminal has shown nothing, and of what it did not write nothing may be passed.
    expect(stopped.terminal.shown().replaceAll("\r", "")).toMatch(/^ready\n/);
    const rest = await workspace.out("consume t -c c1 --until-end");
    const first = Number(rest.split("\n", 1)[0]);
    expect(first).toBeLessThanOrEqual(1 + PIECE_LINES);
    expect(rest).toBe(numberedLines(first, 100));
  },
);

test("a list that is refreshed at a terminal that is stopped by Ctrl-S ends at the first SIGTERM", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("consume t -c c1 --until-end");
  await using stopped = await startAtStoppedTerminal(workspace, ["consumer", "list", "--watch"]);
  await stopped.end();
});

interface Stopped extends AsyncDisposable {
  readonly terminal: AtTerminal;
  /** Ends the command by SIGTERM. */
  end(): Promise<void>;
}

/** Starts a command when its terminal takes no output any more. */
async function startAtStoppedTerminal(workspace: Workspace, args: readonly string[]): Promise<Stopped> {
  const pidFile = join(workspace.folder, "pid");
  const before = `echo $$ > ${pidFile}; echo ready; read line; exec`;
  const terminal = startAtTerminal(workspace, args, { before, after: "2> said" });
  await terminal.shows("ready");
  const pid = Number(await readFile(pidFile, "utf8"));
  terminal.type("\u0013\r");
  await eventually(async () => ((await hearsSignals(pid)) ? true : undefined), "the command to listen to signals");
  // For as long as another command takes it writes, or waits for the terminal.
  await workspace.out("topic list");
  return {
    terminal,
    async end() {
      process.kill(pid, "SIGTERM");
      const late = new AbortController();
      const inTime = delay(PATIENCE_MS, "it did not end", { signal: late.signal });
      expect(await Promise.race([terminal.ended, inTime])).toBe(0);
      late.abort();
    },
    async [Symbol.asyncDispose]() {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
      terminal.type("\u0011");
      await terminal.ended;
    },
  };
}

/** Whether a process listens to SIGHUP, which Node by itself does not; of SIGTERM this could not be told. */
async function hearsSignals(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return (BigInt(`0x${caught}`) & 1n) === 1n;
}
