import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type OffsetKey, OffsetFencedError, openOffsetSession, type OffsetStore } from "@tidemark/core";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { topicsOf } from "./ask-kafka.ts";
import type { ResetRequest } from "./reset-requests.ts";
import type { ResetTopics } from "./reset-topics.ts";
import { placeOf, type ToolAnswer } from "./tool-answer.ts";

/** As it is published. */
const COMMAND = fileURLToPath(new URL("./dist/tidemark.js", import.meta.resolve("@tidemark/cli/package.json")));
const TIMEOUT_MS = 60_000;

/** The `tidemark` command with positions in one SQLite file. */
export interface TidemarkPositions extends AsyncDisposable {
  readonly store: OffsetStore<unknown>;
  /** The positions of a consumer, by `TOPIC/PARTITION`. */
  read(consumer: string): Promise<Map<string, bigint>>;
  run(args: readonly string[], input?: string): Promise<CommandRun>;
}

/** What a command left. */
export interface CommandRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Opens the file, in a folder that is there. */
export async function openTidemarkPositions(folder: string, logUrl: string): Promise<TidemarkPositions> {
  const file = join(folder, "positions.db");
  const store = await openSqliteStore({ file });
  const environment = { ...process.env, TIDEMARK_STORE: `sqlite:${file}`, TIDEMARK_LOG: logUrl, HOME: folder };
  return {
    store,
    async read(consumer) {
      const found = new Map<string, bigint>();
      for await (const { topic, partition, nextOffset } of store.list({ consumer })) {
        if (nextOffset !== undefined) found.set(placeOf(topic, partition), nextOffset);
      }
      return found;
    },
    run(args, input = "") {
      const { promise, resolve } = Promise.withResolvers<CommandRun>();
      const all = [COMMAND, ...args];
      const options = { cwd: folder, env: environment, timeout: TIMEOUT_MS };
      const child = execFile(process.execPath, all, options, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, stdout, stderr }),
      );
      child.stdin?.end(input);
      return promise;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
    },
  };
}

/** Asks Tidemark's command. */
export async function askTidemark(
  positions: TidemarkPositions,
  topics: ResetTopics,
  consumer: string,
  request: ResetRequest,
): Promise<ToolAnswer> {
  const keyOf = (topic: string, partition: number): OffsetKey => ({ consumer, topic, partition });
  const entries = request.partitions.flatMap(({ topic, partition, stored }) =>
    stored === undefined ? [] : [{ key: keyOf(topics.name(topic), partition), nextOffset: stored }],
  );
  if (entries.length > 0) await positions.store.reset(entries);
  const full = topics.name("full");
  const session =
    request.isActive === true
      ? await openOffsetSession({
          store: positions.store,
          consumer,
          topic: full,
          partitions: [0, 1],
          sharing: "takeover",
        })
      : undefined;
  const args = [
    ...["consumer", "reset", consumer, "-O", "json", ...(request.mode === "plan" ? [] : ["--execute"])],
    ...scopeOf(request, topics),
    ...request.verb(topics.firstAtMs),
  ];
  const { code, stdout, stderr } = await positions.run(args);
  if (session !== undefined) await requireFenced(session);
  const rows = code === 0 ? (JSON.parse(stdout) as { topic: string; partition: number; nextOffset: string }[]) : [];
  return {
    isRefused: code !== 0,
    printed: new Map(rows.map(({ topic, partition, nextOffset }) => [placeOf(topic, partition), BigInt(nextOffset)])),
    stored: await positions.read(consumer),
    said: `exit code ${code}\n${stdout}\n${stderr}`,
  };
}

/** Whoever was reading must not be able to move the position again. */
async function requireFenced(session: Awaited<ReturnType<typeof openOffsetSession>>): Promise<void> {
  session.deliver({ partition: 0, offset: 8n });
  session.commit();
  const error: unknown = await session.flush().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  await session.close().catch(() => {});
  if (!(error instanceof OffsetFencedError)) throw new Error("the session that ran was not fenced", { cause: error });
}

function scopeOf({ scope = "topics", partitions }: ResetRequest, topics: ResetTopics): string[] {
  const names = topicsOf(partitions).flatMap((kind) => ["--topic", topics.name(kind)]);
  switch (scope) {
    case "all-topics":
      return [];
    case "unknown-topic":
      return [...names, "--topic", "there-is-none"];
    case "unknown-partition":
      return [...names, "-p", "0", "-p", "7"];
    case "partition-1":
      return [...names, "-p", "1"];
    case "topics":
      return names;
  }
}
