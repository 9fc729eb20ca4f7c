import { expect, it, onTestFinished, vi } from "vitest";
import { AnswerReader } from "../src/answer-reader.ts";
import { KeptAnswers } from "../src/kept-answers.ts";

const MEGABYTE = 1_048_576;
const LEADER = { broker: { host: "a", port: 1 }, epoch: 3, topicId: "id", markId: "id" };

it.each([
  ["at another offset", { offset: 6n }, {}],
  ["of another partition", { partition: 2 }, {}],
  ["of another mark", { mark: "id 2" }, {}],
  ["of another leader", {}, { epoch: 4 }],
  ["of another topic with its name", {}, { topicId: "other" }],
])("gives nothing to a fetch %s", (_what, changes, leader) => {
  const kept = keep();
  expect(kept.take(request(changes), { ...LEADER, ...leader })).toBeUndefined();
});

it("gives what it keeps once, also to a fetch without a mark", () => {
  expect(keep().take(request(), LEADER)).toMatchObject({ end: 9n });
  const kept = keep();
  expect(kept.take(request({ mark: undefined }), LEADER)).toMatchObject({ end: 9n });
  expect(kept.take(request(), LEADER)).toBeUndefined();
});

it("keeps nothing for long", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const kept = keep();
  vi.advanceTimersByTime(10_000);
  expect(kept.take(request(), LEADER)).toBeUndefined();
});

it("keeps no more than 64 MiB for all partitions together, and makes room when something is taken", () => {
  const kept = new KeptAnswers();
  onTestFinished(() => kept.close());
  const keepIn = (partition: number) =>
    kept.keep(request({ partition }), 5n, "id 3", LEADER, { reader: readerOf(MEGABYTE), end: 9n });
  for (let partition = 0; partition < 70; partition += 1) keepIn(partition);
  expect(kept.take(request({ partition: 64 }), LEADER)).toBeUndefined();
  expect(kept.take(request({ partition: 63 }), LEADER)).toBeDefined();
  keepIn(64);
  expect(kept.take(request({ partition: 64 }), LEADER)).toBeDefined();
});

function keep(): KeptAnswers {
  const kept = new KeptAnswers();
  onTestFinished(() => kept.close());
  kept.keep(request(), 5n, "id 3", LEADER, { reader: readerOf(100), end: 9n });
  return kept;
}

function readerOf(bytes: number): AnswerReader {
  return new AnswerReader("t", 1, 5n, { bytes: Buffer.alloc(bytes), abortedTransactions: [] });
}

function request(changes: { partition?: number; offset?: bigint; mark?: string | undefined } = {}) {
  return { topic: "t", partition: 1, offset: 5n, mark: "id 3", maxBytes: 1, maxWait: 0, ...changes };
}
