import type { ClaimEntry } from "@tidemark/core";
import { openOffsetSession } from "@tidemark/core";
import { expect, test } from "vitest";
import { createFaultyStore, fail, hang, storedOffset } from "./faulty-store.ts";

const keyOf = (partition: number) => ({ consumer: "c1", topic: "orders", partition });

test("opening claims all partitions in one call under tokens of 128 random bits, and tells what is stored (contract 5.21)", async () => {
  const faulty = createFaultyStore();
  await faulty.inner.reset([{ key: keyOf(1), nextOffset: 7n }]);
  const claims: (readonly ClaimEntry[])[] = [];
  faulty.claimFault = (entries, apply) => {
    claims.push(entries);
    return apply();
  };
  const names = { consumer: "c1", topic: "orders" };
  const options = { ...names, store: faulty.store, partitions: [0, 1, 2], sharing: "takeover" } as const;
  await using first = await openOffsetSession(options);
  await using second = await openOffsetSession(options);
  expect(claims.map((entries) => entries.map(({ key }) => key.partition))).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
  for (const session of [first, second]) {
    expect([0, 1, 2].map((partition) => session.position(partition))).toEqual([undefined, 7n, undefined]);
  }
  const [tokens = [], others = []] = claims.map((entries) => entries.map(({ token }) => token));
  for (const token of [...tokens, ...others]) expect(Buffer.from(token, "base64url").length).toBeGreaterThanOrEqual(16);
  expect(tokens.filter((token) => others.includes(token))).toEqual([]);
});

test("a partition that is claimed twice at once is held once: what is committed between the answers stays (contract 5.3, 5.21)", async () => {
  const faulty = createFaultyStore();
  const options = {
    consumer: "c1",
    topic: "orders",
    partitions: [0],
    sharing: "takeover",
    flushInterval: 600_000,
  } as const;
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  const isSecond = Promise.withResolvers<void>();
  let claims = 0;
  faulty.claimFault = async (_entries, apply) => {
    const outcomes = await apply();
    claims += 1;
    if (claims === 2) await isSecond.promise;
    return outcomes;
  };
  const first = session.claim([1]);
  const second = session.claim([1]);
  await first;
  session.commit({ partition: 1, offset: 6n });
  isSecond.resolve();
  await second;
  expect(session.position(1)).toBe(7n);
  await session.flush();
  await session.flush();
  expect(faulty.commits.map((entries) => entries.map(({ nextOffset }) => nextOffset))).toEqual([[7n]]);
});

test("what is committed as soon as a partition is held is flushed, also before claim() resolves (contract 5.13)", async () => {
  const faulty = createFaultyStore();
  const options = { consumer: "c1", topic: "orders", partitions: [0], sharing: "takeover" } as const;
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  const claiming = session.claim([1]);
  while (session.epoch(1) === undefined) await Promise.resolve();
  session.startAt(1, 5n);
  await claiming;
  await session.flush();
  expect(await storedOffset(faulty.inner, keyOf(1))).toBe(5n);
});

test("an opening that onAssigned fails rejects with that, also if what it began cannot be written (contract 5.13)", async () => {
  const faulty = createFaultyStore();
  faulty.commitFault = fail;
  const opening = openOffsetSession({
    ...{ consumer: "c1", topic: "orders", partitions: [0], sharing: "standby", store: faulty.store },
    onAssigned: (_numbers, { session }) => {
      session.startAt(0, 5n);
      throw new Error("mine");
    },
  });
  await expect(opening).rejects.toThrow("mine");
});

test("an opening that is aborted rejects at once, also if the store does not answer (contract 5.10)", async () => {
  const faulty = createFaultyStore({ timeout: 600_000 });
  const abort = new AbortController();
  faulty.commitFault = hang;
  const opening = openOffsetSession({
    ...{ consumer: "c1", topic: "orders", partitions: [0], sharing: "standby", store: faulty.store },
    signal: abort.signal,
    onAssigned: (_numbers, { session }) => {
      session.startAt(0, 5n);
      abort.abort(new Error("enough"));
    },
  });
  await expect(opening).rejects.toThrow("enough");
});
