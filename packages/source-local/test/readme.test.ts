import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryFolder } from "./fixtures/log-folder.ts";

it("has a sample that runs in an empty folder, twice", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const [, sample] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  const folder = await temporaryFolder();
  const script = join(folder, "sample.ts");
  const source = new URL("../src/index.ts", import.meta.url).href;
  await writeFile(script, (sample ?? "").replace('"@tidemark/source-local"', JSON.stringify(source)));
  const run = async () => {
    const args = ["--conditions=@tidemark/source", script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder });
    return stdout;
  };
  expect(await run()).toBe("0n one\n1n two\ncontinue at 2\n");
  expect(await run()).toBe("2n one\n3n two\ncontinue at 4\n");
});
