import { assert } from "../../assert.ts";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fetchOf, rejectsWithCode } from "../reading.ts";
import type { SourceConformanceCase } from "../source-case.ts";

/** The end of a source. */
export const lifecycleCases: readonly SourceConformanceCase[] = [
  {
    id: "lifecycle/name",
    clause: "7.8",
    title: "a source has a name",
    async run({ source }) {
      assert.ok(typeof source.name === "string" && source.name !== "");
    },
  },
  {
    id: "lifecycle/close-twice",
    clause: "7.8",
    title: "a source may be closed twice, also by `await using`",
    async run({ source }) {
      await Promise.all([source.close(), source.close()]);
      await source[Symbol.asyncDispose]();
    },
  },
  {
    id: "lifecycle/closed",
    clause: "7.8",
    title: "every call after close rejects with CLOSED",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await source.close();
      await rejectsWithCode(source.partitions(topic), "CLOSED");
      await rejectsWithCode(source.fetch(fetchOf(topic)), "CLOSED");
      await rejectsWithCode(source.fetch(fetchOf(topic, { maxWait: 20_000 })), "CLOSED");
      await rejectsWithCode(source.listOffsets(topic, [{ partition: 0, timestamp: -1 }]), "CLOSED");
      if (source.admin !== undefined) await rejectsWithCode(source.admin.listTopics(), "CLOSED");
      if (source.producer !== undefined) {
        await rejectsWithCode(source.producer.produce(topic, 0, [{ value: null }]), "CLOSED");
      }
    },
  },
  {
    id: "lifecycle/close-in-flight",
    clause: "7.8",
    title: "closing ends a fetch that waits, with CLOSED",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      const waiting = rejectsWithCode(source.fetch(fetchOf(topic, { maxWait: 20_000 })), "CLOSED");
      await nextTurn();
      await source.close();
      await waiting;
    },
  },
];
