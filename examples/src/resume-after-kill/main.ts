/**
 * The main job, on real input: lines go into a topic, a consumer with a name reads them and is killed with SIGKILL in the
 * middle, a second process under the same name goes on, and what both have read is held against the input.
 *
 *     pnpm demo           the history of this repository, or its files where there is none
 *     pnpm demo FILE      the lines of a file
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gitHistoryOrFiles, linesOf } from "./input.ts";
import { Tidemark } from "./tidemark.ts";

const TOPIC = "lines";
const CONSUMER = "demo";
// Often enough that the kill falls between two flushes of a short run; the default is 3,000.
const FLUSH_MS = 100;

const [file] = process.argv.slice(2);
const input = file === undefined ? await gitHistoryOrFiles() : await linesOf(file);
if (input.lines.length < 2) {
  process.stderr.write(
    `demo: ${input.name} has ${input.lines.length} lines; at least 2 are needed to kill in the middle\n`,
  );
  process.exit(1);
}
const folder = await mkdtemp(join(tmpdir(), "tidemark-demo-"));
try {
  const tidemark = new Tidemark(join(folder, "tidemark.db"));
  const total = input.lines.length;
  say(`input: ${total} lines, ${input.name}`);
  await tidemark.run(["topic", "create", TOPIC, "--consumer-ttl", "24h"]);
  await tidemark.run(["produce", TOPIC], input.lines);
  say(`produced into topic "${TOPIC}"`);

  const consume = ["consume", TOPIC, "--consumer", CONSUMER, "--flush", String(FLUSH_MS), "--until-end"];
  const first = await tidemark.consume(consume, { killAfterLines: Math.ceil(total / 2) });
  say(`process ${first.pid} read ${first.offsets.length} records, then it was killed (${first.signal})`);
  const second = await tidemark.consume(consume, {});
  const [resumedAt] = second.offsets;
  say(`process ${second.pid} went on at offset ${resumedAt ?? "the end"} and read ${second.offsets.length} records`);

  const read = new Set([...first.offsets, ...second.offsets]);
  const missed = total - read.size;
  const twice = first.offsets.length + second.offsets.length - read.size;
  const wrong = [...first.records, ...second.records].filter(({ offset, value }) => input.lines[offset] !== value);
  say(`missed: ${missed}; came twice: ${twice}; changed on the way: ${wrong.length}`);
  if (first.signal !== "SIGKILL") throw new Error("the first process ended before it could be killed: use more lines");
  if (missed > 0 || wrong.length > 0) throw new Error("records were lost or changed; please report this");
  say("");
  process.stdout.write(await tidemark.run(["consumer", "list", "--partitions"]));
} finally {
  await rm(folder, { recursive: true });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
