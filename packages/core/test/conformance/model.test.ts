import assert from "node:assert/strict";
import type { OffsetStore } from "@tidemark/core";
import { checkStoreModel, testStoreModel } from "@tidemark/core/conformance/model";
import { describe, expect, it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";
import { createMemoryHarness } from "./memory-harness.ts";

testStoreModel({ describe, it }, createMemoryHarness());

describe("a model test", () => {
  it("asks for every kind of answer", async () => {
    const answers = new Set<string>();
    const counting = spoiledHarness("sound", {
      store: ({ store }) => {
        const counted =
          <Rest extends unknown[]>(call: (...given: Rest) => Promise<readonly { status: string; reason?: string }[]>) =>
          async (...given: Rest) => {
            const outcomes = await call.call(store, ...given);
            for (const { status, reason = "" } of outcomes) answers.add(`${status} ${reason}`.trim());
            return outcomes;
          };
        return {
          claim: counted(store.claim) as OffsetStore["claim"],
          commit: counted(store.commit) as OffsetStore["commit"],
          fetch: counted(store.fetch) as OffsetStore["fetch"],
          expire: counted(store.expire) as OffsetStore["expire"],
        };
      },
    });
    // A seed of its own: one in many does not come to all of them.
    await checkStoreModel(counting, { seed: 1 });
    expect([...answers].toSorted()).toEqual([
      "absent",
      "behind",
      "claimed",
      "committed",
      "fenced absent",
      "fenced released",
      "fenced reset",
      "fenced superseded",
      "found",
      "set",
    ]);
  });

  it("tells the shortest list of calls, and what repeats it", async () => {
    const forgetful = spoiledHarness("forgetful", {
      store: ({ store }) => ({
        claim: async (entries, options) => {
          const outcomes = await store.claim(entries, options);
          return outcomes.map((outcome) =>
            outcome.status === "claimed" ? { ...outcome, record: undefined } : outcome,
          );
        },
      }),
    });
    const messageOf = async (options: Parameters<typeof checkStoreModel>[1]): Promise<string> => {
      const error: unknown = await checkStoreModel(forgetful, options).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof assert.AssertionError, String(error));
      return error.message;
    };
    const message = await messageOf({ seed: 3 });
    const calls = message.match(/^ +\d+\. client [12]: .*$/gm) ?? [];
    // Something must be there, and a claim must find it.
    expect(calls).toHaveLength(2);
    expect(calls[1]).toMatch(/2\. client [12]: claim \[[^\]]*\] \{ token: 'token-a', owner: 'o1' \}$/);
    const [, seed, path, maxCommands] = /\{ seed: (-?\d+), path: "([\d:]+)", maxCommands: (\d+) \}/.exec(message) ?? [];
    const again = await messageOf({ seed: Number(seed), path: path ?? "", maxCommands: Number(maxCommands) });
    expect(again.match(/^ +\d+\. client [12]: .*$/gm)).toEqual(calls);
  });
});
