import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Change, ChangeAnswer, OffsetStoreDriver } from "@tidemark/core/driver";

/** What a writer says of each of its steps. */
export interface WriterLine {
  /** The version that the write was put over. */
  readonly expected: string | null;
  readonly answer?: ChangeAnswer;
  readonly damage?: string;
}

// A program: STORE DATA STEPS. Reads two entries by turns, and writes or removes what it has read, by the driver alone.
const [store = "", data = "", steps = "0"] = process.argv.slice(2);
const from = (file: string): string => pathToFileURL(join(store, file)).href;
const { openFolderStore } = (await import(from("index.js"))) as {
  openFolderStore(options: object): Promise<{ close(): Promise<void> }>;
};
const { layoutOf } = (await import(from("layout.js"))) as { layoutOf(folder: string, namespace: string): object };
const { folderDriver } = (await import(from("driver.js"))) as { folderDriver(layout: object): OffsetStoreDriver };

// Makes the folders, as every process does that uses the store.
await (await openFolderStore({ folder: data })).close();
const driver = folderDriver(layoutOf(data, "tidemark"));
const context = { signal: new AbortController().signal };
for (let step = 0; step < Number(steps); step += 1) {
  const key = { consumer: "c", topic: "t", partition: step % 2 };
  const [entry] = (await driver.read([key], context)).entries;
  if (entry !== undefined && "error" in entry) {
    await say({ expected: null, damage: String(entry.error) });
    continue;
  }
  const expected = entry?.version ?? null;
  if (entry !== undefined && entry.value !== entry.version)
    await say({ expected, damage: "a value of another version" });
  const version = randomBytes(9).toString("base64url");
  const removes = expected !== null && Math.random() < 0.2;
  const change: Change = {
    key,
    expected: [expected],
    version,
    value: removes ? undefined : version,
    reclaimAfter: null,
  };
  const { changes } = await driver.write([change], context);
  const answer = changes?.[0] ?? "written";
  const failed = typeof answer === "object" ? { damage: String(answer.error) } : {};
  await say({ expected, answer, ...failed });
}

/** The line is written before the next step, however slowly it is read: a pipe that is full refuses a write that does not wait. */
async function say(line: WriterLine): Promise<void> {
  await new Promise((resolve) => process.stdout.write(`${JSON.stringify(line)}\n`, resolve));
}
