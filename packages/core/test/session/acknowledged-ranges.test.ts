import { type OffsetSession, type OffsetSessionEvent, openOffsetSession, type RecordPosition } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { EventLog } from "./eventually.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { consumer: "c1", topic: "orders", partitions: [0] };
const record = (offset: bigint): RecordPosition => ({ partition: 0, offset });

function deliver(session: OffsetSession, from: bigint, to: bigint): bigint[] {
  const given: bigint[] = [];
  for (let offset = from; offset < to; offset += 1n) if (session.deliver(record(offset))) given.push(offset);
  return given;
}

test("what is done beyond the position is stored with it, and not handed out again (contract 5.14)", async () => {
  const store = createMemoryStore();
  const first = await openOffsetSession({ ...options, store, sharing: "takeover" });
  first.startAt(0, 0n);
  deliver(first, 0n, 10n);
  for (const offset of [0n, 2n, 3n, 7n, 5n]) first.acknowledge(record(offset));
  await first.flush();
  const found = [
    {
      record: {
        nextOffset: 1n,
        acknowledged: [
          { from: 2n, to: 4n },
          { from: 5n, to: 6n },
          { from: 7n, to: 8n },
        ],
      },
    },
  ];
  expect(await store.fetch([key])).toMatchObject(found);
  await using second = await openOffsetSession({ ...options, store, sharing: "takeover" });
  expect(deliver(second, 1n, 10n)).toEqual([1n, 4n, 6n, 8n, 9n]);
  second.acknowledge(record(1n));
  expect(second.position(0)).toBe(4n);
  second.acknowledge(record(6n));
  second.acknowledge(record(4n));
  expect(second.position(0)).toBe(8n);
  await second.flush();
  const [outcome] = await store.fetch([key]);
  expect(outcome?.status === "found" && outcome.record.acknowledged).toBeUndefined();
  await first.close();
});

test("a position passes what was done before at the end of what was handed out (contract 5.14)", async () => {
  const store = createMemoryStore();
  await store.reset([{ key, nextOffset: 4n }]);
  const claimed = await store.claim([{ key, token: "a-token-of-22-charactr", owner: "o" }]);
  const epoch = claimed[0]?.status === "claimed" ? claimed[0].epoch : 0;
  const acknowledged = [{ from: 5n, to: 9n }];
  await store.commit([{ key, token: "a-token-of-22-charactr", epoch, nextOffset: 4n, acknowledged }]);
  await using session = await openOffsetSession({ ...options, store });
  expect(deliver(session, 4n, 9n)).toEqual([4n]);
  session.acknowledge(record(4n));
  expect(session.position(0)).toBe(9n);
});

test("a reset forgets what is done, but for retention: what lies past the new position stays (contract 6.5)", async () => {
  for (const [reason, left] of [
    ["other-log", undefined],
    ["beyond-log", undefined],
    ["truncated", undefined],
    ["below-log", [{ from: 7n, to: 8n }]],
  ] as const) {
    const store = createMemoryStore();
    await using session = await openOffsetSession({ ...options, store });
    session.startAt(0, 0n);
    deliver(session, 0n, 10n);
    for (const offset of [2n, 7n]) session.acknowledge(record(offset));
    session.resetTo(0, 5n, reason);
    await session.flush();
    const [outcome] = await store.fetch([key]);
    expect(outcome, reason).toMatchObject({ record: { nextOffset: 5n } });
    expect(outcome?.status === "found" ? outcome.record.acknowledged : null, reason).toEqual(left);
  }
});

test("more than 1 KiB of it waits for the lowest record, which an event names; what fits is stored (contract 5.14)", async () => {
  const store = createMemoryStore();
  const events = new EventLog<OffsetSessionEvent>();
  await using session = await openOffsetSession({ ...options, store, onEvent: events.hear });
  session.startAt(0, 0n);
  deliver(session, 0n, 500n);
  for (let offset = 1n; offset < 400n; offset += 2n) session.acknowledge(record(offset));
  await session.flush();
  expect(events.of("acknowledgements-full")).toEqual([{ type: "acknowledgements-full", key, waitingFor: 0n }]);
  const [outcome] = await store.fetch([key]);
  const stored = outcome?.status === "found" ? (outcome.record.acknowledged ?? []) : [];
  expect(stored.length).toBeGreaterThan(40);
  expect(stored[0]).toEqual({ from: 1n, to: 2n });
});

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("crashes at random: nothing that was stored as done is handed out again, nothing is passed that was not done (contract 5.14)", async () => {
  const first = Date.now() % 1_000_000;
  for (let seed = first; seed < first + 60; seed += 1) {
    const random = randomFrom(seed);
    const store = createMemoryStore();
    // A log with gaps.
    const log = Array.from({ length: 120 }, (_, index) => BigInt(index)).filter(() => random() < 0.9);
    const done = new Set<bigint>();
    let stored = new Set<bigint>();
    for (let life = 0; life < 8; life += 1) {
      const session = await openOffsetSession({ ...options, store, sharing: "takeover", flushInterval: 600_000 });
      if (session.position(0) === undefined) session.startAt(0, 0n);
      const from = session.position(0) ?? 0n;
      for (const offset of log) {
        if (offset < from) expect(done, `seed ${seed}: ${offset} was passed and never done`).toContain(offset);
      }
      const inHand: bigint[] = [];
      // What a life before this one was told and did not store is not known to this one.
      const known = new Set(stored);
      for (const offset of log.filter((each) => each >= from)) {
        if (session.deliver(record(offset))) {
          expect(stored, `seed ${seed}: ${offset} was stored as done and comes again`).not.toContain(offset);
          inHand.push(offset);
        } else expect(done, `seed ${seed}: ${offset} was skipped and never done`).toContain(offset);
        while (inHand.length > 0 && random() < 0.45) {
          const [one = 0n] = inHand.splice(Math.floor(random() * inHand.length), 1);
          done.add(one);
          known.add(one);
          session.acknowledge(record(one));
        }
        if (random() < 0.1) {
          await session.flush();
          stored = new Set(known);
        }
        if (random() < 0.02 && life < 7) break;
      }
      if (life < 7) continue;
      for (const one of inHand) session.acknowledge(record(one));
      await session.close();
      const last = log.at(-1) ?? -1n;
      expect(await store.fetch([key]), `seed ${seed}`).toMatchObject([{ record: { nextOffset: last + 1n } }]);
    }
  }
});
