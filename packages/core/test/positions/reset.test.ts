import { LogSourceError } from "@tidemark/core";
import {
  applyReset,
  IncompleteWriteError,
  planReset,
  ResetPlanError,
  type ResetResult,
  type ResetTarget,
} from "@tidemark/core/positions";
import { describe, expect, test } from "vitest";
import { openPlace, STORES } from "./on-stores.ts";

const SINCE = new Date("2026-01-01T00:00:00Z");

describe.each(STORES)("on %s", (kind) => {
  test("a plan says what a reset comes to and writes nothing; applied, it is written", async () => {
    await using place = await openPlace(kind);
    const { store, log } = place;
    await place.fill("orders", [10, 10, 0]);
    await place.put("billing", "orders", [8n, 2n], "by hand");
    const plan = await planReset({ store, log, consumer: "billing", topics: ["orders"], to: 5n });
    expect(plan).toMatchObject({ consumer: "billing", withoutPosition: 0, leftAlone: [] });
    expect(plan.resets).toEqual([
      expect.objectContaining({ partition: 0, from: 8n, to: 5n, readAgain: 3n, skipped: 0n, requested: undefined }),
      expect.objectContaining({ partition: 1, from: 2n, to: 5n, readAgain: 0n, skipped: 3n, metadata: "" }),
      expect.objectContaining({ partition: 2, from: undefined, to: 0n, requested: 5n, earliest: 0n, latest: 0n }),
    ]);
    expect(await place.positions("billing")).toEqual({ "orders/0": 8n, "orders/1": 2n });
    const done: number[] = [];
    const results = await applyReset({ store, plan, onProgress: (count) => done.push(count) });
    expect(results.map(({ partition, status }) => [partition, status])).toEqual([
      [0, "written"],
      [1, "written"],
      [2, "written"],
    ]);
    expect(done).toEqual([3]);
    expect(await place.positions("billing")).toEqual({ "orders/0": 5n, "orders/1": 5n, "orders/2": 0n });
  });

  test.each<[string, ResetTarget, readonly bigint[]]>([
    ["earliest", "earliest", [0n, 0n]],
    ["latest", "latest", [10n, 10n]],
    ["current, also beyond the log", "current", [4n, 99n]],
    ["a shift on, within the log", { shiftBy: 3n }, [7n, 10n]],
    ["a shift back, within the log", { shiftBy: -5n }, [0n, 10n]],
    ["a date", new Date(SINCE.getTime() + 2500), [3n, 3n]],
    ["a date before the epoch", new Date(-1000), [0n, 0n]],
  ])("goes to %s", async (_, to, expected) => {
    await using place = await openPlace(kind);
    await place.fill("orders", [10, 10], SINCE);
    await place.put("billing", "orders", [4n, 99n]);
    const { resets } = await planReset({ store: place.store, log: place.log, consumer: "billing", to });
    expect(resets.map((planned) => planned.to)).toEqual(expected);
    expect(resets.every(({ isBeyondTime }) => !isBeyondTime)).toBe(true);
  });

  test("a date after the last record goes to the end, and the plan says so", async () => {
    await using place = await openPlace(kind);
    await place.fill("orders", [3], SINCE);
    await place.put("billing", "orders", [1n]);
    const { resets } = await planReset({
      store: place.store,
      log: place.log,
      consumer: "billing",
      to: new Date("2026-01-02"),
    });
    expect(resets).toMatchObject([{ to: 3n, isBeyondTime: true }]);
  });

  test("an undo goes back to where the last reset found the position, a second one returns", async () => {
    await using place = await openPlace(kind);
    const { store, log } = place;
    await place.fill("orders", [10, 10]);
    await place.put("billing", "orders", [8n, 3n]);
    await applyReset({ store, plan: await planReset({ store, log, consumer: "billing", partitions: [0], to: 1n }) });
    const undo = await planReset({ store, log, consumer: "billing", to: "undo" });
    expect(undo.resets).toMatchObject([
      { partition: 0, from: 1n, to: 8n, undoes: { nextOffset: 8n, reason: "operator" } },
    ]);
    expect(undo.leftAlone).toEqual([{ topic: "orders", partition: 1, why: "no-reset" }]);
    await applyReset({ store, plan: undo });
    expect(await place.positions("billing")).toEqual({ "orders/0": 8n, "orders/1": 3n });
    expect((await planReset({ store, log, consumer: "billing", to: "undo" })).resets).toMatchObject([{ to: 1n }]);
  });

  test.each<[string, ResetTarget]>([
    ["current", "current"],
    ["a shift", { shiftBy: -1n }],
  ])("to %s, a position that has moved meanwhile is not written, and the error names it", async (_, to) => {
    await using place = await openPlace(kind);
    const { store, log } = place;
    await place.fill("orders", [10, 10, 10]);
    await place.put("billing", "orders", [4n, 6n, 8n]);
    const plan = await planReset({ store, log, consumer: "billing", to });
    await place.put("billing", "orders", [9n]);
    await store.delete({ keys: [{ consumer: "billing", topic: "orders", partition: 2 }] });
    const { message, cause, results } = await failureOf(applyReset({ store, plan }));
    expect(message).toBe(
      'topic "orders" partition "0" has moved from 4 to 9 since the reset was planned, and was not written: plan the reset again; of 3 positions 1 written, 2 moved meanwhile',
    );
    expect(cause).toBeInstanceOf(ResetPlanError);
    expect(results).toMatchObject([
      { partition: 0, from: 4n, status: "moved", current: 9n },
      { partition: 1, from: 6n, status: "written" },
      { partition: 2, from: 8n, status: "moved", current: undefined },
    ]);
    const written = plan.resets[1]?.to;
    expect(await place.positions("billing")).toEqual({ "orders/0": 9n, "orders/1": written });
  });

  test("to current, a partition that has a position since the plan is not written", async () => {
    await using place = await openPlace(kind);
    const { store, log } = place;
    await place.fill("orders", [10]);
    const plan = await planReset({ store, log, consumer: "billing", topics: ["orders"], to: "current" });
    expect(plan.resets).toMatchObject([{ from: undefined, to: 10n, isRelative: true }]);
    await place.put("billing", "orders", [3n]);
    const { message } = await failureOf(applyReset({ store, plan }));
    expect(message).toMatch(/^topic "orders" partition "0" has moved from no position to 3 since/);
    expect(await place.positions("billing")).toEqual({ "orders/0": 3n });
  });

  test("an undo is written however far the consumer has read since, but not over another reset", async () => {
    await using place = await openPlace(kind);
    const { store, log } = place;
    await place.fill("orders", [10, 10]);
    await place.put("billing", "orders", [8n, 8n]);
    await applyReset({ store, plan: await planReset({ store, log, consumer: "billing", to: 1n }) });
    const plan = await planReset({ store, log, consumer: "billing", to: "undo" });
    const keys = [0, 1].map((partition) => ({ consumer: "billing", topic: "orders", partition }));
    await store.claim(keys.map((key) => ({ key, token: "token", owner: "me" })));
    await store.commit(keys.map((key) => ({ key, token: "token", nextOffset: 5n })));
    await place.put("billing", "orders", [2n]);
    const { message, results } = await failureOf(applyReset({ store, plan }));
    expect(message).toBe(
      'topic "orders" partition "0" was reset from 1 to another position since the undo was planned (it is at 2 now), and was not written: plan the reset again; of 2 positions 1 written, 1 moved meanwhile',
    );
    expect(results).toMatchObject([
      { status: "moved", current: 2n },
      { status: "written", current: undefined },
    ]);
    expect(await place.positions("billing")).toEqual({ "orders/0": 2n, "orders/1": 8n });
  });

  test("a place that does not come from the position is written wherever the position is by then", async () => {
    await using place = await openPlace(kind);
    const { store, log } = place;
    await place.fill("orders", [10]);
    await place.put("billing", "orders", [4n]);
    const plan = await planReset({ store, log, consumer: "billing", to: "earliest" });
    expect(plan.resets).toMatchObject([{ isRelative: false }]);
    await place.put("billing", "orders", [9n]);
    expect(await applyReset({ store, plan })).toMatchObject([{ status: "written", current: undefined }]);
    expect(await place.positions("billing")).toEqual({ "orders/0": 0n });
  });

  test("metadata stays where the position does; whoever holds one is fenced", async () => {
    await using place = await openPlace(kind);
    const { store, log } = place;
    await place.fill("orders", [10, 10]);
    await place.put("billing", "orders", [4n, 6n], "by hand");
    const keys = [0, 1].map((partition) => ({ consumer: "billing", topic: "orders", partition }));
    await store.claim(keys.map((key) => ({ key, token: "token", owner: "me" })));
    const plan = await planReset({ store, log, consumer: "billing", to: 4n });
    expect(plan.resets).toMatchObject([
      { metadata: "by hand", owner: "me" },
      { metadata: "", owner: "me" },
    ]);
    await applyReset({ store, plan });
    const late = await store.commit(keys.map((key) => ({ key, token: "token", nextOffset: 9n })));
    expect(late).toMatchObject([
      { status: "fenced", reason: "reset" },
      { status: "fenced", reason: "reset" },
    ]);
  });

  test("what cannot be planned is said, and to which partition it belongs", async () => {
    await using place = await openPlace(kind);
    await place.fill("orders", [10, 10]);
    await place.put("billing", "orders", [4n]);
    await place.put("billing", "gone", [4n]);
    const plan = (options: object): Promise<unknown> =>
      planReset({ store: place.store, log: place.log, consumer: "billing", to: "latest", ...options });
    await expect(plan({ consumer: "nobody" })).rejects.toThrow(ResetPlanError);
    await expect(plan({ consumer: "nobody" })).rejects.toThrow('consumer "nobody" has no position');
    await expect(plan({ partitions: [7] })).rejects.toThrow('consumer "billing" has no position on partition "7"');
    await expect(plan({})).rejects.toThrow('a position on topic "gone", which the log does not have');
    await expect(plan({ topics: ["orders"], to: { shiftBy: 1n } })).rejects.toThrow(
      'no position on topic "orders" partition "1", so there is nothing to shift',
    );
    await expect(plan({ topics: ["orders"], to: "undo" })).rejects.toThrow(
      'consumer "billing" has no reset to undo on topic "orders" partition "0" and 1 more',
    );
    await expect(plan({ topics: ["orders"], partitions: [9] })).rejects.toThrow(LogSourceError);
    await expect(plan({ topics: ["nothing"] })).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", topic: "nothing" });
  });
});

test("wrong options are refused before anything is asked", async () => {
  await using place = await openPlace("memory");
  const { store, log } = place;
  const good = { store, log, consumer: "billing", to: "latest" as const };
  for (const [wrong, message] of [
    [{ parttions: [1] }, /there is no option "parttions"/],
    [{ to: "begin" }, /to must be "earliest", "latest"/],
    [{ to: 5 }, /to must be .*, not number 5/],
    [{ to: -5n }, /to must be from 0/],
    [{ to: { shiftBy: 5 } }, /to.shiftBy must be a bigint/],
    [{ to: [1n] }, /to must be "earliest", .* not an array/],
    [{ to: { shift: 5n } }, /there is no option "shift"/],
    [{ to: new Date(Number.NaN) }, /to is an invalid Date/],
    [{ topics: "orders" }, /topics must be an array/],
    [{ topics: [] }, /topics must be an array with at least one entry/],
    [{ topics: [""] }, /a topic must not be empty/],
    [{ partitions: ["0"] }, /partition must be a number/],
    [{ consumer: "" }, /consumer must not be empty/],
    [{ store: {} }, /store must be an OffsetStore/],
    [{ log: {} }, /log must be a LogSource/],
    [{ signal: {} }, /signal must be an AbortSignal/],
  ] as const) {
    await expect(planReset({ ...good, ...(wrong as object) }), JSON.stringify(Object.keys(wrong))).rejects.toThrow(
      message,
    );
  }
  const plan = { consumer: "billing", resets: [] };
  await expect(applyReset({ store, plan, execute: true } as never)).rejects.toThrow(/there is no option "execute"/);
  await expect(applyReset({ store, plan: undefined } as never)).rejects.toThrow(/plan must be a ResetPlan/);
  await expect(applyReset({ store, plan, onProgress: 1 } as never)).rejects.toThrow(/onProgress must be a function/);
});

test("an abort ends a plan with its reason", async () => {
  await using place = await openPlace("memory");
  const { store, log } = place;
  await place.put("billing", "orders", [4n]);
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(planReset({ store, log, consumer: "billing", to: "latest", signal })).rejects.toThrow("enough");
});

async function failureOf(writing: Promise<unknown>): Promise<IncompleteWriteError<ResetResult>> {
  const error: unknown = await writing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof IncompleteWriteError)) throw new Error(`not an IncompleteWriteError: ${String(error)}`);
  return error as IncompleteWriteError<ResetResult>;
}
