// Makes the images of the docs, from commands that it runs: `npx -y pnpm@12.21.0 run images`. Look at them before you commit.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { startAtTerminal } from "../support/terminal.ts";
import { createWorkspace, eventually, numberedLines, type Workspace } from "../support/workspace.ts";
import { takePageImages } from "./page-images.ts";
import { type Shown, terminalImage } from "./terminal-image.ts";

const FOLDER = new URL("../../../../docs/images/", import.meta.url);

async function show(workspace: Workspace, command: string): Promise<Shown> {
  const terminal = startAtTerminal(workspace, command.split(" "));
  await terminal.ended;
  return { command: `tidemark ${command}`, output: terminal.shown() };
}

await using workspace = await createWorkspace();
const { out } = workspace;
await out("topic create orders --partitions 4 --consumer-ttl 7d");
await out("topic create payments --partitions 2");
await out("produce orders", numberedLines(1, 24_000));
await out("produce payments", numberedLines(1, 900));
await out("consume orders -c billing --all -n 15323");
await out("consume orders -c search --all --until-end");
await out("consume payments -c ledger --all -n 881");
const fraudCheck = workspace.start("consume payments -c fraud-check --all --flush 50".split(" "));
await fraudCheck.lines(900);
await eventually(async () => /fraud-check +2 +0 /.exec(await out("consumer list")) ?? undefined, "a flush");

const shown: Shown[] = [];
for (const command of [
  "consumer list",
  "consumer list --partitions --topic orders",
  "consumer reset billing --topic orders --by-duration 24h",
  "consume order",
]) {
  shown.push(await show(workspace, command));
}
await writeFile(new URL("terminal.svg", FOLDER), terminalImage(shown));
await takePageImages(fileURLToPath(FOLDER));
