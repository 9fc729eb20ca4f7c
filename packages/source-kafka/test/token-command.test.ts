import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { tokenOfCommand } from "../src/token-command.ts";

it("gives up on a token command that ignores SIGTERM, and of which a child holds the output", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-token-"));
  const command = ["sh", "-c", "trap '' TERM; sleep 1000 & echo $! > child.pid; echo no network >&2; wait"];
  onTestFinished(async () => {
    process.kill(Number(await readFile(join(folder, "child.pid"), "utf8")), "SIGKILL");
    await rm(folder, { recursive: true });
  });
  await expect(tokenOfCommand(command, folder, 2_000)()).rejects.toThrow(
    'the token command "sh" failed (it did not end within 2000 ms): no network',
  );
});
