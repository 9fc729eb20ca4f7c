import { parse } from "yaml";
import { expect, test } from "vitest";
import { startAtTerminal } from "../support/terminal.ts";
import { createWorkspace } from "../support/workspace.ts";

// The first begins a command of the terminal, as Escape does; the second turns around what follows; a bell; an old Mac's line.
const ODD = "a\u009b2Jb\u202ec\u0007d\re\u001b[31m";
/** Beside the line breaks of the output itself. */
const CONTROL = /(?![\n])[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/u;

test("names with control characters come escaped in all that a command prints, on both streams", async () => {
  await using workspace = await createWorkspace();
  const topic = `t${ODD}`;
  const consumer = `c${ODD}`;
  const store = ["--store", "sqlite:a.db", "--log", "local:a.db"];
  const said: string[] = [];
  const runs: readonly (readonly [args: readonly string[], code: number])[] = [
    [["topic", "create", topic, "--partitions", "2"], 0],
    [["topic", "create", topic], 1],
    [["topic", "describe", `${topic}x`], 1],
    [["topic", "list"], 0],
    [["topic", "list", "-O", "json"], 0],
    [["topic", "list", "-O", "yaml"], 0],
    [["topic", "alter", topic, "--consumer-ttl", "1h"], 0],
    [["produce", topic, "--partition", "0"], 0],
    [["produce", topic, "--partition", "9"], 1],
    [["consume", topic, "-c", consumer, "--until-end", "--verbose"], 0],
    [["consume", topic, "-c", consumer, "--until-end", "--start", "earliest"], 0],
    [["consume", topic, "--until-end", "-O", "json"], 0],
    [["consume", topic, "--until-end", "-O", "yaml"], 0],
    [["consume", topic, "-p", "7"], 1],
    [["topic", "describe", topic], 0],
    [["consumer", "list"], 0],
    [["consumer", "list", "--partitions"], 0],
    [["consumer", "list", "-O", "json"], 0],
    [["consumer", "describe", consumer], 0],
    [["consumer", "describe", consumer, "-O", "yaml"], 0],
    [["consumer", "describe", `${consumer}x`], 1],
    [["consumer", "members", consumer], 0],
    [["consumer", "set", consumer, "--ttl", "2h"], 0],
    [["consumer", "reset", consumer, "--to-offset", "99"], 0],
    [["consumer", "reset", consumer, "--to-earliest", "--execute"], 0],
    [["consumer", "reset", consumer, "-p", "1", "--undo"], 1],
    [["consumer", "export", consumer], 0],
    [["consumer", "delete", consumer, "--topic", "nothing"], 1],
    [["consumer", "delete", consumer], 0],
    [["topic", "delete", topic], 0],
    [["topic", "delete", topic], 1],
    [["consumer", ODD], 2],
    [["consume", topic, "--nonsense", ODD], 2],
    [["consume", topic, "--start", ODD], 2],
    [["topic", "list", "--store", `${ODD}:x`, "--log", `${ODD}:x`], 2],
  ];
  for (const [args, code] of runs) {
    const finished = await workspace.run([...args, ...(args.includes("--log") ? [] : store)], { input: "one\n" });
    expect(finished, args.join(" ")).toMatchObject({ code });
    for (const stream of [finished.stdout, finished.stderr]) {
      said.push(stream);
      expect(
        CONTROL.exec(stream)?.[0],
        `${args.slice(0, 2).join(" ")} ${code}: ${JSON.stringify(stream)}`,
      ).toBeUndefined();
    }
  }
  expect(said.filter((text) => text.includes("\\u009b2J")).length).toBeGreaterThan(20);
});

test("what asks at a terminal escapes them too", async () => {
  await using workspace = await createWorkspace();
  const topic = `t${ODD}`;
  expect((await workspace.run(["topic", "create", topic])).code).toBe(0);
  const asked = startAtTerminal(workspace, ["topic", "delete", topic]);
  await asked.shows("with all its records");
  expect(asked.shown()).toContain("\\u009b2Jb\\u202ec");
  for (const raw of ["\u009b", "\u202e", "\u0007"]) expect(asked.shown()).not.toContain(raw);
  asked.type("n\r");
  await asked.ended;
});

test("escaped data is the same data for programs", async () => {
  await using workspace = await createWorkspace();
  const topic = `t${ODD}`;
  await workspace.run(["topic", "create", topic]);
  await workspace.run(["produce", topic], { input: `${ODD.replace("\r", "")}\n` });
  const json = await workspace.run(["topic", "list", "-O", "json"]);
  expect(JSON.parse(json.stdout)).toMatchObject([{ name: topic }]);
  const yaml = await workspace.run(["topic", "list", "-O", "yaml"]);
  expect(parse(yaml.stdout)).toMatchObject([{ name: topic }]);
  const record = await workspace.run(["consume", topic, "--until-end", "-O", "json"]);
  expect(JSON.parse(record.stdout)).toMatchObject({ topic, value: ODD.replace("\r", "") });
});
