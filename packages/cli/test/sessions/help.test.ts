import { expect, test } from "vitest";
import { createWorkspace } from "../support/workspace.ts";

test.each([
  [["topic"], ["create", "alter", "list", "describe", "delete"]],
  [
    ["topic", "create"],
    ["--partitions", "local: 1)", "--consumer-ttl", "--retention-time", "--retention-bytes"],
  ],
  [
    ["topic", "alter"],
    ["--partitions", "--consumer-ttl", '"none"'],
  ],
  [
    ["topic", "list"],
    ["--all", "__"],
  ],
  [["topic", "describe"], ["<name>"]],
  [["topic", "delete"], ["consumers"]],
  [["produce"], ["--partition", "--key-separator"]],
  [
    ["consume"],
    ["-c, --consumer", "-p, --partition", "--all", "--start", "--reset-policy", "--flush", "--ttl", "--until-end"],
  ],
  [["consumer"], ["list", "describe", "set", "delete", "reset", "export", "import"]],
  [["consumer", "list"], ["-t, --topic"]],
  [["consumer", "describe"], ["-t, --topic"]],
  [
    ["consumer", "set"],
    ["--ttl", "-p, --partition"],
  ],
  [
    ["consumer", "delete"],
    ["-t, --topic", "-p, --partition"],
  ],
  [
    ["consumer", "reset"],
    [
      ...[
        "--to-earliest",
        "--to-latest",
        "--to-offset",
        "--shift-by",
        "--to-datetime",
        "--by-duration",
        "--to-current",
        "--undo",
      ],
      ...["-t, --topic", "-p, --partition", "--execute", "Exactly one of"],
    ],
  ],
  [
    ["consumer", "export"],
    ["[name...]", "-t, --topic", "--csv", "group,topic,partition,offset"],
  ],
  [
    ["consumer", "import"],
    ["[file]", "-c, --consumer", "--overwrite", "--execute"],
  ],
])("%j --help teaches the command", async (args, expected) => {
  await using workspace = await createWorkspace();
  const { code, stdout, stderr } = await workspace.run([...args, "--help"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const text of [...expected, "-O, --output <format>", "--store <url>"]) expect(stdout).toContain(text);
  const isGroup = args.length === 1 && (args[0] === "topic" || args[0] === "consumer");
  if (!isGroup) expect(stdout).toContain(`$ tidemark ${args.join(" ")}`);
});

test("help COMMAND is COMMAND --help; what every command takes is one line of it", async () => {
  await using workspace = await createWorkspace();
  const help = await workspace.run(["help", "consumer", "reset"]);
  expect(help).toEqual(await workspace.run(["consumer", "reset", "--help"]));
  expect(help.code).toBe(0);
  const lines = help.stdout.split("\n").filter((line) => /--(?:store|plugin|config|verbose)\b/.test(line));
  expect(lines).toEqual([expect.stringMatching(/^Global options: .*--store <url>; .*--verbose/)]);
  expect((await workspace.run(["help"])).stdout).toBe((await workspace.run(["--help"])).stdout);
  expect(await workspace.run(["help", "consumer", "rest"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^tidemark: consumer has no command "rest": known are list, [^\n]+\n$/) as unknown,
  });
});

test("the program's own help has examples; without a command it is shown as wrong usage", async () => {
  await using workspace = await createWorkspace();
  const help = await workspace.run(["--help"]);
  expect(help.code).toBe(0);
  expect(help.stdout).toContain("$ tidemark consume orders --consumer billing --all");
  for (const scheme of [
    "sqlite:",
    "memory:",
    "redis://",
    "rediss://",
    "mongodb://",
    "mongodb+srv://",
    "s3://",
    "local:",
    "kafka://",
  ]) {
    expect(help.stdout).toContain(scheme);
  }
  expect(help.stdout).toContain("npm install @tidemark/store-redis redis\n");
  expect(help.stdout).toContain("npm install @tidemark/source-kafka\n");
  expect(await workspace.run([])).toEqual({ code: 2, stdout: "", stderr: help.stdout });
  expect((await workspace.run(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
