import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rootFolder } from "../../src/packaging/workspace.ts";

const page = await readFile(join(rootFolder, "docs/troubleshooting.md"), "utf8");

/** The `type`s of the events that these files declare. */
async function eventsOf(files: readonly string[]): Promise<readonly string[]> {
  const sources = await Promise.all(files.map((file) => readFile(join(rootFolder, "packages/core/src", file), "utf8")));
  return sources.flatMap((source) =>
    Array.from(source.matchAll(/readonly type: "([a-z-]+)"/g), ([, type = ""]) => type),
  );
}

/** The first cells of the table that begins with this row. */
function rowsOf(heading: RegExp): readonly string[] {
  const lines = page.slice(page.search(heading)).split("\n");
  const end = lines.indexOf("");
  return lines.slice(2, end).map((row) => /^\| `(?<name>[^`]+)`/.exec(row)?.groups?.["name"] ?? row);
}

test("the page of symptoms explains every event of a consumer and a session", async () => {
  const events = await eventsOf(["session/offset-session.ts", "consumer/consumer.ts"]);
  expect(events.length).toBeGreaterThan(15);
  expect([...rowsOf(/^\| event +\| meaning.*\n(?:.*\n)\| `started/m)].sort()).toEqual([...events].sort());
});

test("the page of symptoms explains every event of a store", async () => {
  const events = await eventsOf(["driver/store-options.ts"]);
  expect([...rowsOf(/^\| event +\| meaning.*\n(?:.*\n)\| `retry/m)].sort()).toEqual([...events].sort());
});
