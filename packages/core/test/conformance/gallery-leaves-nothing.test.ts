import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { describe, it } from "vitest";
import { type Fault, Left, spoiledHarness } from "./broken-store.ts";

/** A store that works for some calls of a case, and from then on does not. */
function brokenAfter(calls: number, broken: () => Promise<never>): Fault {
  return ({ store, shared }) => {
    const counted =
      <Given extends unknown[], Result>(verb: (...given: Given) => Promise<Result>) =>
      (...given: Given): Promise<Result> => {
        const count = Number(shared.get("calls") ?? 0) + 1;
        shared.set("calls", count);
        return count > calls ? broken() : verb.apply(store, given);
      };
    return {
      claim: counted(store.claim),
      commit: counted(store.commit),
      fetch: counted(store.fetch),
      reset: counted(store.reset),
      expire: counted(store.expire),
      delete: counted(store.delete),
    };
  };
}

const failing = async (): Promise<never> => {
  await new Promise((resolve) => setImmediate(resolve));
  throw new Error("this store is broken");
};
const answeringNothing = (): Promise<never> => Promise.resolve(undefined as never);

// Vitest fails the file for every rejection that nobody handles.
describe("a case that fails anywhere ends, and leaves no client, transaction or cut connection to the next", () => {
  for (const surroundings of ["durable", "remote", "transactional"] as const) {
    for (const calls of [0, 1, 2, 5, 12, 40]) {
      it.concurrent(`${surroundings}, when calls fail after ${calls}`, () =>
        expectNothingLeft(brokenAfter(calls, calls % 2 === 0 ? failing : answeringNothing), surroundings));
    }
  }
});

it("the clock is right again after cases that set it wrong side by side, one slower than the other", async () => {
  const clockCase = storeConformanceCases.find(({ id }) => id === "clock/of-the-store");
  assert.ok(clockCase);
  const aheadMs = (): number => Date.now() - performance.timeOrigin - performance.now();
  const before = aheadMs();
  const taking =
    (delayMs: number): Fault =>
    ({ store }) => ({ fetch: async (...asked) => delay(delayMs).then(() => store.fetch(...asked)) });
  await Promise.all(
    [40, 60].map((delayMs) =>
      runStoreCase(spoiledHarness("slow", { store: taking(delayMs), surroundings: "remote" }), clockCase),
    ),
  );
  assert.ok(Math.abs(aheadMs() - before) < 60_000, `the clock is ${aheadMs() - before} ms off`);
});

async function expectNothingLeft(fault: Fault, surroundings: "durable" | "remote" | "transactional"): Promise<void> {
  let failed = 0;
  await Promise.all(
    storeConformanceCases.map(async (one) => {
      const left = new Left();
      await runStoreCase(spoiledHarness("broken", { store: fault, surroundings, left }), one).catch(
        () => (failed += 1),
      );
      assert.deepEqual(left.open, [], `left by ${one.id}`);
    }),
  );
  assert.ok(failed > 0, "nothing failed");
}
