import type { LogRecord } from "@tidemark/core";
import { expect, test } from "vitest";
import { createPieceOutput } from "../../src/commands/consume/piece-output.ts";

function record(offset: number, partition = 0): LogRecord {
  return { topic: "t", partition, offset: BigInt(offset), timestampMs: 0, key: null, value: null, headers: [] };
}

interface Write {
  readonly text: string;
  readonly finish: (error?: Error) => void;
}

function setUp(pieceBytes: number) {
  const writes: Write[] = [];
  const committed: string[] = [];
  const failures: unknown[] = [];
  const output = createPieceOutput({
    pieceBytes,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        const finish = (error?: Error): void => (error === undefined ? resolve() : reject(error));
        writes.push({ text: Buffer.from(bytes).toString(), finish });
      }),
    onWritten: (last, count) =>
      committed.push(...[...last].map((each) => `${each.partition}:${each.offset}`), `${count}`),
    onFailure: (error) => failures.push(error),
  });
  return { writes, committed, failures, output };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test("a record that comes alone is written without waiting for a second, and committed only when it is out", async () => {
  const { writes, committed, output } = setUp(100);
  expect(output.add(record(7), Buffer.from("a\n"))).toBeUndefined();
  await turn();
  expect(writes.map(({ text }) => text)).toEqual(["a\n"]);
  expect(committed).toEqual([]);
  writes[0]?.finish();
  await turn();
  expect(committed).toEqual(["0:7", "1"]);
});

test("records at hand go out together; a commit names the last of each partition in that write, not a later one", async () => {
  const { writes, committed, output } = setUp(100);
  void output.add(record(1), Buffer.from("a\n"));
  void output.add(record(5, 1), Buffer.from("b\n"));
  void output.add(record(2), Buffer.from("c\n"));
  await turn();
  void output.add(record(3), Buffer.from("d\n"));
  await turn();
  expect(writes.map(({ text }) => text)).toEqual(["a\nb\nc\n"]);
  writes[0]?.finish();
  await turn();
  expect(committed).toEqual(["0:2", "1:5", "3"]);
  expect(writes.map(({ text }) => text)).toEqual(["a\nb\nc\n", "d\n"]);
});

test("a full piece holds the next record up until it is out", async () => {
  const { writes, committed, output } = setUp(4);
  expect(output.add(record(1), Buffer.from("a\n"))).toBeUndefined();
  const full = output.add(record(2), Buffer.from("b\n"));
  let isThrough = false;
  void full?.then(() => {
    isThrough = true;
  });
  await turn();
  expect({ isThrough, committed }).toEqual({ isThrough: false, committed: [] });
  writes[0]?.finish();
  await full;
  expect(committed).toEqual(["0:2", "2"]);
});

test("a record that does not fit goes into the next piece, and waits until the one before it is out", async () => {
  const { writes, committed, output } = setUp(5);
  expect(output.add(record(1), Buffer.from("abc\n"))).toBeUndefined();
  const full = output.add(record(2), Buffer.from("de\n"));
  await turn();
  expect(writes.map(({ text }) => text)).toEqual(["abc\n"]);
  writes[0]?.finish();
  await full;
  expect(committed).toEqual(["0:1", "1"]);
  await turn();
  expect(writes.map(({ text }) => text)).toEqual(["abc\n", "de\n"]);
});

test("a record of more than a piece is written alone", async () => {
  const { writes, committed, output } = setUp(5);
  expect(output.add(record(1), Buffer.from("a\n"))).toBeUndefined();
  const full = output.add(record(2), Buffer.from("longer than that\n"));
  await turn();
  writes[0]?.finish();
  await turn();
  expect({ texts: writes.map(({ text }) => text), committed }).toEqual({
    texts: ["a\n", "longer than that\n"],
    committed: ["0:1", "1"],
  });
  writes[1]?.finish();
  await full;
  expect(committed).toEqual(["0:1", "1", "0:2", "1"]);
});

test("a write that fails commits nothing, and nothing is written after it", async () => {
  const { writes, committed, failures, output } = setUp(100);
  void output.add(record(1), Buffer.from("a\n"));
  await turn();
  const error = new Error("EPIPE");
  writes[0]?.finish(error);
  await turn();
  void output.add(record(2), Buffer.from("b\n"));
  await output.drain();
  expect({ committed, failures, writes: writes.length }).toEqual({ committed: [], failures: [error], writes: 1 });
});

test("abandoned, it drops what is not on its way, and still says what got out", async () => {
  const { writes, committed, output } = setUp(100);
  void output.add(record(1), Buffer.from("a\n"));
  await turn();
  void output.add(record(2), Buffer.from("b\n"));
  const abandoned = output.abandon();
  writes[0]?.finish();
  await abandoned;
  await turn();
  expect({ committed, writes: writes.length }).toEqual({ committed: ["0:1", "1"], writes: 1 });
});
