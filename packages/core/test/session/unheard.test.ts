import { openOffsetSession } from "@tidemark/core";
import { createMemoryBackend } from "@tidemark/store-memory";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openMemberStore } from "../consumer/group.ts";
import { createFaultyStore, fail } from "./faulty-store.ts";

const options = { consumer: "c1", topic: "orders", partitions: [0] };
const warnings: { readonly text: string; readonly code: string }[] = [];

beforeEach(() => {
  warnings.length = 0;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"] });
  vi.spyOn(process, "emitWarning").mockImplementation((text: string | Error, about?: unknown) => {
    warnings.push({ text: String(text), code: (about as { code: string }).code });
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("a stalled session that nobody listens to is a process warning, once (contract 5.6)", async () => {
  const faulty = createFaultyStore();
  const session = await openOffsetSession({ ...options, store: faulty.store });
  faulty.commitFault = fail;
  session.commit({ partition: 0, offset: 6n });
  await vi.advanceTimersByTimeAsync(70_000);
  expect(warnings).toMatchObject([{ code: "TIDEMARK_STALLED" }]);
  faulty.commitFault = undefined;
  await session.close();
});

test("a position that is refused for good is tried again every 5 seconds, not all the time (contract 5.12)", async () => {
  const faulty = createFaultyStore();
  const session = await openOffsetSession({ ...options, store: faulty.store, onEvent: () => undefined });
  await faulty.inner.close();
  session.commit({ partition: 0, offset: 6n });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(faulty.commits.length).toBeGreaterThan(5);
  expect(faulty.commits.length).toBeLessThan(20);
  await session.close().catch(() => undefined);
});

test("a store that refuses for good is a process warning where nobody listens, and refusal() tells why (contract 5.8)", async () => {
  const faulty = createFaultyStore();
  const session = await openOffsetSession({ ...options, store: faulty.store });
  await faulty.inner.close();
  session.commit({ partition: 0, offset: 6n });
  await expect(session.flush()).rejects.toMatchObject({ code: "CLOSED" });
  await vi.advanceTimersByTimeAsync(20_000);
  // Each once, however often it is tried again: the positions, and then the heartbeats.
  expect(warnings).toMatchObject([
    { code: "TIDEMARK_REFUSED", text: expect.stringContaining("rejects positions") as unknown },
    { code: "TIDEMARK_REFUSED", text: expect.stringContaining("rejects heartbeats") as unknown },
  ]);
  expect(session.refusal(0)).toMatchObject({ code: "CLOSED" });
  await session.close().catch(() => undefined);
});

test("a member whose heartbeats all fail for a lease, and that nobody listens to, is a process warning, once (contract 8.5a)", async () => {
  const member = openMemberStore(createMemoryBackend());
  const session = await openOffsetSession({
    ...{ ...options, store: member.store, sharing: "balanced", lease: 3_000 },
    onAssigned: () => undefined,
  });
  member.isCut = true;
  await vi.advanceTimersByTimeAsync(2_900);
  expect(warnings).toEqual([]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(warnings).toEqual([
    { code: "TIDEMARK_STALLED", text: expect.stringContaining("accepted no heartbeat for a lease") as unknown },
  ]);
  member.isCut = false;
  await session.close();
});
