import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { key, openStore } from "./open-store.ts";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** How many transactions the write-ahead log holds: the last page of each tells how large the file is after it. */
async function transactionsIn(file: string): Promise<number> {
  const log = await readFile(`${file}-wal`);
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(8);
  let count = 0;
  for (let at = HEADER_BYTES; at < log.length; at += frameBytes) if (log.readUInt32BE(at + 4) !== 0) count += 1;
  return count;
}

it.each([1, 100, 10_000])("writes %d positions in one transaction, claimed and flushed", async (count) => {
  const { store, file } = await openStore({ synchronous: "normal" });
  const entries = Array.from({ length: count }, (_, partition) => ({ key: { ...key, partition }, token: "t" }));
  let before = await transactionsIn(file);
  const transactionsOf = async (outcomes: Promise<readonly { readonly status: string }[]>): Promise<number> => {
    const statuses = new Set((await outcomes).map(({ status }) => status));
    expect(statuses.size).toBe(1);
    expect(["claimed", "committed"]).toContain([...statuses][0]);
    const after = await transactionsIn(file);
    const written = after - before;
    before = after;
    return written;
  };
  expect(await transactionsOf(store.claim(entries.map((entry) => ({ ...entry, owner: "o" }))))).toBe(1);
  for (let nextOffset = 1n; nextOffset <= 3n; nextOffset += 1n) {
    expect(await transactionsOf(store.commit(entries.map((entry) => ({ ...entry, nextOffset }))))).toBe(1);
  }
});
