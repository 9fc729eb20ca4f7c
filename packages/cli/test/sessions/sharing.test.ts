import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { cells, createWorkspace, eventually, numberedLines, untilStored } from "../support/workspace.ts";

const args = (line: string): string[] => line.split(" ");

test("a name that runs is not joined unasked: HELD names who has it, --takeover takes it", async () => {
  await using workspace = await createWorkspace();
  const { out, run, start } = workspace;
  await out("topic create orders --partitions 2");
  await out("produce orders", "a\n");
  const first = start(args("consume orders -c c1 --all --flush 50"));
  await first.lines(1);
  await untilStored(workspace, 1);
  const second = await run(args("consume orders -c c1 --all --until-end"));
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/HELD: consumer "c1" on topic "orders" runs in .*, which holds 2 partitions; stop it/);
  const members = cells(await out("consumer members c1"));
  expect(members[0]?.slice(0, 3)).toEqual(["CONSUMER", "TOPIC", "MEMBER"]);
  expect(members).toHaveLength(2);
  expect(await out("consumer members --topic other")).toBe("");
  const third = await run(args("consume orders -c c1 --all --until-end --takeover"));
  expect(third).toMatchObject({ code: 0, stdout: "" });
  first.kill("SIGINT");
  await first.ended;
});

test("a name whose process was killed is free at once", async () => {
  await using workspace = await createWorkspace();
  const { out, start } = workspace;
  await out("topic create orders");
  await out("produce orders", "a\nb\n");
  const first = start(args("consume orders -c c1 --flush 0"));
  await first.lines(2);
  first.kill("SIGKILL");
  await first.ended;
  expect(await out("consume orders -c c1 --until-end --start beginning")).not.toContain("a");
});

test("--share divides the partitions among those that run", async () => {
  await using workspace = await createWorkspace();
  const { out, start } = workspace;
  await out("topic create orders --partitions 2");
  const first = start(args("consume orders -c c1 --share --verbose"));
  await first.said("reads partitions");
  const second = start(args("consume orders -c c1 --share --verbose"));
  await second.said("reads partitions");
  await out("produce orders --partition 0", numberedLines(1, 5));
  await out("produce orders --partition 1", numberedLines(6, 10));
  const printed = (): string => first.stdout() + second.stdout();
  await eventually(async () => {
    await pause(20);
    return printed().split("\n").length > 10 ? true : undefined;
  }, "ten records are printed");
  expect(
    printed()
      .trimEnd()
      .split("\n")
      .map(Number)
      .toSorted((a, b) => a - b),
  ).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(first.stdout()).not.toBe("");
  expect(second.stdout()).not.toBe("");
});

test.each([
  ["consume orders --share", /--share needs --consumer/],
  ["consume orders --takeover", /--takeover needs --consumer/],
  ["consume orders -c c1 --share -p 0", /--share and --partition exclude each other/],
  ["consume orders -c c1 --share --takeover", /--share and --takeover exclude each other/],
])("%s makes no sense", async (line, message) => {
  await using workspace = await createWorkspace();
  const { code, stderr } = await workspace.run(args(line));
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});
