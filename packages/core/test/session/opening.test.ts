import type { ClaimEntry } from "@tidemark/core";
import { openOffsetSession } from "@tidemark/core";
import { expect, test } from "vitest";
import { createFaultyStore } from "./faulty-store.ts";

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
