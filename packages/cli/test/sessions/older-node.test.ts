import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const entry = fileURLToPath(new URL("../../dist/tidemark.js", import.meta.url));
// An older Node is one that lacks this; the rest of it does not matter to an entry that looks before it loads anything of ours.
const lacking = 'import module from "node:module"; delete module.registerHooks;';

test("a Node that is too old is told so in one line, without a stack", async () => {
  const { promise, resolve } = Promise.withResolvers<{ code: unknown; stdout: string; stderr: string }>();
  execFile(
    process.execPath,
    ["--import", `data:text/javascript,${lacking}`, entry, "topic", "list"],
    (error, stdout, stderr) => resolve({ code: error?.code, stdout, stderr }),
  );
  expect(await promise).toEqual({
    code: 1,
    stdout: "",
    stderr: `tidemark: needs Node 22.18, 24.11, 26 or later; this is ${process.version}\n`,
  });
});
