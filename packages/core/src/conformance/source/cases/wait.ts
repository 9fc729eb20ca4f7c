import { assert } from "../../assert.ts";
import { getEventListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fetchOf, PATIENCE_MS, rejectionOf, textOf, textRecord } from "../reading.ts";
import type { SourceConformanceCase } from "../source-case.ts";

/** What happens at the log's end. */
export const waitCases: readonly SourceConformanceCase[] = [
  {
    id: "wait/none",
    clause: "7.5",
    title: "at the end of the log a fetch that does not wait is empty and stays where it is",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const empty = await source.fetch(fetchOf(topic));
      assert.deepEqual([empty.records, empty.nextOffset, empty.highWatermark], [[], 0n, 0n]);
      await opened.produce(topic, 0, [textRecord("a")]);
      const atEnd = await source.fetch(fetchOf(topic, { offset: 1n }));
      assert.deepEqual([atEnd.records, atEnd.nextOffset, atEnd.highWatermark], [[], 1n, 1n]);
    },
  },
  {
    id: "wait/expires",
    clause: "7.5",
    title: "a fetch at the end of the log waits for its maxWait, then is empty",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const began = performance.now();
      const { records } = await source.fetch(fetchOf(topic, { maxWait: 300 }));
      const tookMs = performance.now() - began;
      assert.equal(records.length, 0);
      assert.ok(tookMs >= 250 && tookMs < PATIENCE_MS, `waited ${tookMs} ms instead of 300`);
    },
  },
  {
    id: "wait/woken",
    clause: "7.5",
    title: "a waiting fetch is answered as soon as a record is written, and only by its own partition's",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(2);
      const began = performance.now();
      const waiting = source.fetch(fetchOf(topic, { maxWait: 20_000 }));
      await nextTurn();
      await opened.produce(topic, 1, [textRecord("not for it")]);
      await opened.produce(topic, 0, [textRecord("for it")]);
      const { records } = await waiting;
      assert.deepEqual(records.map(textOf), ["for it"]);
      assert.ok(
        performance.now() - began < 10_000,
        "the fetch was answered when its wait was up, not when it was written",
      );
    },
  },
  {
    id: "wait/aborted",
    clause: "7.5",
    title: "an abort ends a waiting fetch with the signal's reason and leaves no listener behind",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const controller = new AbortController();
      const { signal } = controller;
      const reason = new Error("enough");
      const waiting = rejectionOf(source.fetch(fetchOf(topic, { maxWait: 20_000, signal })));
      await nextTurn();
      controller.abort(reason);
      assert.equal(await waiting, reason);
      assert.equal(getEventListeners(signal, "abort").length, 0, "a listener was left on the aborted signal");
      assert.equal(await rejectionOf(source.fetch(fetchOf(topic, { signal }))), reason);
      assert.equal(await rejectionOf(source.partitions(topic, { signal })), reason);

      const quiet = new AbortController().signal;
      const answered = source.fetch(fetchOf(topic, { maxWait: 20_000, signal: quiet }));
      await opened.produce(topic, 0, [textRecord("a")]);
      await answered;
      assert.equal(
        getEventListeners(quiet, "abort").length,
        0,
        "a listener was left on the signal of an answered fetch",
      );
    },
  },
];
