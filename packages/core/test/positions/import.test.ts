import { applyImport, IncompleteWriteError, parsePosition, planImport } from "@tidemark/core/positions";
import { describe, expect, test } from "vitest";
import { openPlace, STORES } from "./on-stores.ts";

const key = (partition: number) => ({ consumer: "billing", topic: "orders", partition });

describe.each(STORES)("on %s", (kind) => {
  test("a plan says what an import does to each position, and writes nothing; applied, it is written", async () => {
    await using place = await openPlace(kind);
    const { store } = place;
    await place.put("billing", "orders", [undefined, 5n, 5n, 5n, 5n], "old");
    const positions = [
      { ...key(0), nextOffset: 7n, metadata: "new", ttl: 60_000 },
      { ...key(1), nextOffset: 7n },
      { ...key(2), nextOffset: 3n },
      { ...key(3), nextOffset: 5n },
      { ...key(4), nextOffset: 5n, ttl: 60_000 },
    ];
    const planned = await planImport({ store, positions });
    expect(planned.map(({ change, from, status }) => [change, from, status])).toEqual([
      ["new", undefined, "planned"],
      ["forward", 5n, "planned"],
      ["ahead", 5n, "kept"],
      ["same", 5n, "unchanged"],
      ["settings", 5n, "planned"],
    ]);
    const before = await place.positions("billing");
    expect(before).toEqual({ "orders/1": 5n, "orders/2": 5n, "orders/3": 5n, "orders/4": 5n });
    const applied = await applyImport({ store, positions });
    expect(applied.map(({ status }) => status)).toEqual(["written", "written", "kept", "unchanged", "written"]);
    const [first, second, , , fifth] = await store.fetch(positions.map(({ partition }) => key(partition)));
    expect(first).toMatchObject({ record: { nextOffset: 7n, metadata: "new", ttl: 60_000 } });
    expect(second).toMatchObject({ record: { nextOffset: 7n, metadata: "" } });
    expect(fifth).toMatchObject({ record: { nextOffset: 5n, metadata: "old", ttl: 60_000 } });
    // The same import again changes nothing.
    const again = await applyImport({ store, positions });
    expect(again.map(({ status }) => status)).toEqual(["unchanged", "unchanged", "kept", "unchanged", "unchanged"]);
  });

  test("what a consumer has stored since the plan is not taken back, unless with overwrite", async () => {
    await using place = await openPlace(kind);
    const { store } = place;
    const positions = [{ ...key(0), nextOffset: 7n }];
    expect(await planImport({ store, positions })).toMatchObject([{ change: "new" }]);
    await place.put("billing", "orders", [9n]);
    expect(await applyImport({ store, positions })).toMatchObject([{ change: "ahead", status: "kept", from: 9n }]);
    expect(await place.positions("billing")).toEqual({ "orders/0": 9n });
    const back = await applyImport({ store, positions, overwrite: true });
    expect(back).toMatchObject([{ change: "back", status: "written" }]);
    expect(await place.positions("billing")).toEqual({ "orders/0": 7n });
  });

  test("what a consumer stores between the look and the write is not taken back, unless with overwrite", async () => {
    await using place = await openPlace(kind);
    const { store } = place;
    await place.put("billing", "orders", [5n, undefined, 5n, 5n, 5n]);
    const positions = [
      ...[0, 1, 2, 3].map((partition) => ({ ...key(partition), nextOffset: 7n })),
      { ...key(4), nextOffset: 7n, ttl: 60_000 },
    ];
    const meanwhile = {
      capabilities: store.capabilities,
      fetch: store.fetch.bind(store),
      reset: async (...call: Parameters<typeof store.reset>) => {
        await place.put("billing", "orders", [9n, 9n, 7n, 6n, 7n]);
        return await store.reset(...call);
      },
    };
    const error = await applyImport({ store: meanwhile, positions }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(IncompleteWriteError);
    expect(error).toMatchObject({
      message:
        'consumer "billing" on topic "orders" partition "3" was moved to 6 meanwhile, and was not written: import it again; of 5 positions 1 already the same, 2 left unchanged, 2 moved meanwhile',
      results: [
        { change: "ahead", status: "kept", from: 9n },
        { change: "ahead", status: "kept", from: 9n },
        { change: "same", status: "unchanged", from: 7n },
        { change: "forward", status: "moved", from: 6n },
        { change: "settings", status: "moved", from: 7n },
      ],
    });
    expect(await place.positions("billing")).toEqual({
      "orders/0": 9n,
      "orders/1": 9n,
      "orders/2": 7n,
      "orders/3": 6n,
      "orders/4": 7n,
    });
    await applyImport({ store: meanwhile, positions, overwrite: true });
    expect(await place.positions("billing")).toMatchObject({ "orders/0": 7n, "orders/3": 7n });
  });
});

test("wrong options and positions are refused before anything is written", async () => {
  await using place = await openPlace("memory");
  const { store } = place;
  const good = { ...key(0), nextOffset: 1n };
  for (const [wrong, message] of [
    [{ positions: [good], force: true }, /there is no option "force"/],
    [{ positions: [good], overwrite: "yes" }, /overwrite must be a boolean, not "yes"/],
    [{ positions: good }, /positions must be an array/],
    [{ positions: [good, { ...good, nextOffset: 2n }] }, /positions has consumer "billing" .* twice/],
    [{ positions: [good, { ...key(1), nextOffset: "2" }] }, /nextOffset must be a bigint/],
    [{ positions: [good, { ...key(1), nextOffset: 2n, ttL: 5 }] }, /a position has no field "ttL"/],
    [{ positions: [good, null] }, /a position must be an object/],
    [{ positions: [good], store: {} }, /store must be an OffsetStore/],
    [{ positions: [good], onProgress: true }, /onProgress must be a function/],
  ] as const) {
    const options = { store, ...(wrong as object) } as never;
    await expect(planImport(options), String(message)).rejects.toThrow(message);
    await expect(applyImport(options), String(message)).rejects.toThrow(message);
  }
  expect(await place.positions("billing")).toEqual({});
});

test("a position is read from the JSON that the command writes", () => {
  const line =
    '{"consumer":"billing","topic":"orders","partition":0,"nextOffset":"9007199254740993","metadata":"","ttl":null}';
  expect(parsePosition(JSON.parse(line))).toEqual({
    ...key(0),
    nextOffset: 9007199254740993n,
    metadata: "",
    ttl: null,
  });
  expect(() => parsePosition({ ...key(0), nextOffset: "1", tll: 5 })).toThrow('a position has no field "tll"');
  expect(() => parsePosition({ ...key(0), nextOffset: 2 ** 53 })).toThrow("write it as a string");
});
