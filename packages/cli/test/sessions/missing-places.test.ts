import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "../../src/program.ts";
import { createWorkspace, type Workspace } from "../support/workspace.ts";

/**
 * What a command does with a place that is named and not there: `needs` it, and fails; `makes` it; `does without` it; or does
 * not look at it.
 */
type Use = "needs" | "makes" | "does without" | "ignores";

/** Every command, with its arguments, and what it does with a store and with a log. */
const COMMANDS: Readonly<Record<string, readonly (readonly [args: string, store: Use, log: Use])[]>> = {
  "topic create": [["u", "ignores", "makes"]],
  "topic alter": [
    ["t --retention-time 1h", "ignores", "needs"],
    ["t --consumer-ttl 1h", "needs", "needs"],
  ],
  "topic list": [["", "ignores", "needs"]],
  "topic describe": [["t", "needs", "needs"]],
  "topic delete": [
    ["t", "needs", "needs"],
    ["t --yes", "needs", "needs"],
  ],
  produce: [["t", "ignores", "needs"]],
  consume: [
    ["t --until-end", "ignores", "needs"],
    ["t -c d --until-end", "makes", "needs"],
  ],
  "consumer list": [["", "needs", "does without"]],
  "consumer members": [["", "needs", "ignores"]],
  "consumer describe": [["c", "needs", "does without"]],
  "consumer set": [["c --ttl 1h", "needs", "ignores"]],
  "consumer delete": [["c", "needs", "ignores"]],
  "consumer reset": [["c --to-earliest", "needs", "needs"]],
  "consumer export": [["", "needs", "ignores"]],
  "consumer import": [
    ["in.jsonl", "does without", "ignores"],
    ["in.jsonl --execute", "makes", "ignores"],
  ],
  // Until a signal ends it: its page says that there is no log.
  monitor: [["", "needs", "does without"]],
  help: [["", "ignores", "ignores"]],
  completion: [["bash", "ignores", "ignores"]],
  complete: [["-- topic list", "ignores", "ignores"]],
};

const cases = Object.entries(COMMANDS).flatMap(([command, runs]) =>
  runs.map(([args, store, log]) => ({ command: `${command} ${args}`.trim(), store, log })),
);

test("every command is in the table", () => {
  expect(Object.keys(COMMANDS).toSorted()).toEqual(commandsOf(createProgram()).toSorted());
});

test.each(cases.filter(({ store }) => store !== "ignores"))(
  "$command $store a store that is not there",
  async ({ command, store }) => {
    await using workspace = await workspaceWithPosition();
    const args = `${command} --store sqlite:typo.db`;
    if (store === "needs") return await expectFailure(workspace, args, "store at sqlite:typo\\.db");
    await workspace.out(args);
    expect(existsSync(join(workspace.folder, "typo.db"))).toBe(store === "makes");
  },
);

test("a topic gets a TTL where no consumer has a store yet", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("topic alter t --consumer-ttl 1h --store memory:");
  expect(await workspace.out("topic describe t")).toMatch(/^Consumer TTL: 1h$/m);
});

test.each(cases.filter(({ log }) => log === "needs" || log === "makes"))(
  "$command $log a log that is not there",
  async ({ command, log }) => {
    await using workspace = await workspaceWithPosition();
    const args = `${command} --log local:typo.db`;
    if (log === "needs") return await expectFailure(workspace, args, "log at local:typo\\.db");
    await workspace.out(args);
    expect(existsSync(join(workspace.folder, "typo.db"))).toBe(true);
  },
);

test.each(cases.filter(({ log, command }) => log === "does without" && command !== "monitor"))(
  "$command says that a log is not there, makes none, and shows what is stored",
  async ({ command }) => {
    await using workspace = await workspaceWithPosition();
    const { code, stderr, stdout } = await workspace.run(`${command} --log local:typo.db`.split(" "));
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: "warning: no lag is shown: there is no log at local:typo.db; check the name and the working directory\n",
    });
    expect(stdout).toContain("c");
    expect(existsSync(join(workspace.folder, "typo.db"))).toBe(false);
  },
);

/** With a consumer `c` that has a position on topic `t`, and something to import. */
async function workspaceWithPosition(): Promise<Workspace> {
  const workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("consume t -c c --until-end");
  const position = { consumer: "c", topic: "t", partition: 0, nextOffset: "0" };
  await writeFile(join(workspace.folder, "in.jsonl"), `${JSON.stringify(position)}\n`);
  return workspace;
}

/** It fails, makes nothing, and changes nothing of what is there. */
async function expectFailure(workspace: Workspace, args: string, what: string): Promise<void> {
  const look = async (): Promise<string[]> => [
    await workspace.out("consumer export"),
    await workspace.out("topic describe t"),
  ];
  const before = await look();
  const { code, stderr, stdout } = await workspace.run(args.split(" "));
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  const advice = args.startsWith("topic alter") && what.startsWith("store") ? "[^\n]*--store memory:" : "";
  expect(stderr).toMatch(
    new RegExp(`^tidemark: there is no ${what}; check the name and the working directory${advice}\n$`),
  );
  expect(existsSync(join(workspace.folder, "typo.db"))).toBe(false);
  expect(await look()).toEqual(before);
}

/** The names of all commands that do something. */
function commandsOf(program: Command): string[] {
  return program.commands.flatMap((command) =>
    command.commands.length === 0 ? [command.name()] : commandsOf(command).map((name) => `${command.name()} ${name}`),
  );
}
