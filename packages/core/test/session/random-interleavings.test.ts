import { openOffsetSession } from "@tidemark/core";
import { expect, test } from "vitest";
import { createFaultyStore, fail, loseAnswer, storedOffset } from "./faulty-store.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };

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

async function run(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const faulty = createFaultyStore();
  const session = await openOffsetSession({
    store: faulty.store,
    consumer: "c1",
    topic: "orders",
    partitions: [0],
    flushInterval: 1,
  });
  // The model: what is handed out in this epoch, what of it is done, what was committed ever, how often reading moved.
  let next = 0n;
  let open = new Set<bigint>();
  let handedOut: bigint[] = [];
  let expected: bigint | undefined;
  const committed = new Set<bigint>();
  let stored: bigint | undefined;
  let wentBack = false;
  const settle = (): void => {
    const lowest = handedOut.find((offset) => open.has(offset));
    const position =
      lowest === undefined
        ? (handedOut.at(-1) ?? -1n) + 1n
        : (handedOut.findLast((offset) => offset < lowest) ?? -2n) + 1n;
    if (position > (expected ?? -1n) && position > 0n) {
      expected = position;
      committed.add(position);
    }
  };
  for (let step = 0; step < 150; step += 1) {
    const dice = random();
    if (dice < 0.4) {
      if (random() < 0.1) next += 3n;
      session.deliver({ partition: 0, offset: next });
      handedOut.push(next);
      open.add(next);
      next += 1n;
    } else if (dice < 0.7 && handedOut.length > 0) {
      const offset = handedOut[Math.floor(random() * handedOut.length)] ?? 0n;
      if (random() < 0.2) {
        for (const done of handedOut) if (done <= offset) open.delete(done);
        session.commit({ partition: 0, offset });
      } else {
        open.delete(offset);
        session.acknowledge({ partition: 0, offset });
      }
      settle();
    } else if (dice < 0.9) {
      const fault = random();
      faulty.commitFault = fault < 0.25 ? fail : fault < 0.5 ? loseAnswer : undefined;
      await session.flush().catch(() => undefined);
      faulty.commitFault = undefined;
    } else if (dice < 0.93) {
      next = random() < 0.5 ? 0n : next + 50n;
      wentBack ||= next < (expected ?? 0n);
      session.resetTo(0, next, "beyond-log");
      expected = next;
      committed.add(next);
      open = new Set();
      handedOut = [];
    } else {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const durable = await storedOffset(faulty.inner, key);
    if (durable !== undefined)
      expect(committed, `seed ${seed}, step ${step}: ${durable} was never committed`).toContain(durable);
    if (durable !== stored) {
      if (durable === undefined || (stored !== undefined && durable < stored)) {
        expect(wentBack, `seed ${seed}, step ${step}: back from ${stored} to ${durable}`).toBe(true);
      }
      stored = durable;
    }
    if (expected !== undefined) expect(session.position(0), `seed ${seed}, step ${step}`).toBe(expected);
  }
  if (handedOut.length === 0) {
    session.deliver({ partition: 0, offset: next });
    handedOut.push(next);
  }
  session.commit();
  await session.close();
  expect(await storedOffset(faulty.inner, key), `seed ${seed}`).toBe((handedOut.at(-1) ?? 0n) + 1n);
}

test("whatever is delivered, acknowledged, lost and moved: durable is never ahead, never back by itself, and ends right (contract 5.3, 5.14)", async () => {
  const first = Date.now() % 1_000_000;
  for (let seed = first; seed < first + 40; seed += 1) await run(seed);
});
