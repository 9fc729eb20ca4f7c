import { type OffsetSessionEvent, OffsetStoreError, openOffsetSession, type SharingMode } from "@tidemark/core";
import { createOffsetStore, type OffsetStoreDriver } from "@tidemark/core/driver";
import { expect, onTestFinished, test, vi } from "vitest";
import { ConnectionReset, Rows, type SoundTransaction } from "../conformance/sound-backend.ts";
import { SoundDriver } from "../conformance/sound-driver.ts";
import { EventLog, eventually } from "./eventually.ts";

const key = { consumer: "c", topic: "t", partition: 0 };

interface SessionOptions {
  readonly ttl?: number;
  readonly sharing?: SharingMode;
  readonly instance?: string;
  readonly partitions?: readonly number[];
  readonly onEvent?: (event: OffsetSessionEvent) => void;
}

/** A session of a store whose next COMMIT happens, and whose connection is gone then. */
async function openSession(given: SessionOptions = {}) {
  const { ttl, sharing = "standby", instance, partitions = [0], onEvent = () => undefined } = given;
  const sound = new SoundDriver({ rows: new Rows(), capabilities: { transactions: true } });
  const state = {
    losesCommit: false,
    /** What happens after the next COMMIT, whose answer is lost then. */
    afterCommit: undefined as (() => Promise<unknown>) | undefined,
    restore: async (): Promise<void> => undefined,
    /** What the next write waits for. */
    gate: undefined as (() => Promise<void>) | undefined,
  };
  const driver: OffsetStoreDriver<SoundTransaction> = {
    name: sound.name,
    capabilities: sound.capabilities,
    read: (...call) => sound.read(...call),
    write: async (...call) => {
      const { gate } = state;
      state.gate = undefined;
      await gate?.();
      return sound.write(...call);
    },
    list: (filter) => sound.list(filter),
    classify: (error) => sound.classify(error),
    close: () => sound.close(),
    begin: async () => {
      const own = await sound.begin?.();
      if (own === undefined) throw new Error("no transactions");
      const { afterCommit } = state;
      if (afterCommit !== undefined) {
        const commitAndLose = async (): Promise<void> => {
          await own.commit();
          await afterCommit();
          throw new ConnectionReset();
        };
        return { ...own, commit: commitAndLose };
      }
      if (!state.losesCommit) return own;
      const commit = async (): Promise<void> => {
        await own.commit();
        state.losesCommit = false;
        state.restore = sound.connection.break("cut");
        throw new ConnectionReset();
      };
      return { ...own, commit };
    },
  };
  const store = createOffsetStore(driver, { timeout: 150 });
  const options = { store, consumer: key.consumer, topic: key.topic, partitions, ttl, sharing, instance };
  const session = await openOffsetSession({ ...options, onEvent });
  session.startAt(0, 0n);
  await session.flush();
  const records = Array.from({ length: 6 }, (_, index) => ({ partition: 0, offset: BigInt(index) }));
  for (const record of records) session.deliver(record);
  const stored = async (): Promise<bigint | undefined> => {
    const [outcome] = await store.fetch([key]);
    return outcome?.status === "found" ? outcome.record.nextOffset : undefined;
  };
  return { sound, store, session, options, state, records, stored };
}

/** Sets the clock of this process, not that of the backend, forward by the TTL. */
function expireByTheClock(): void {
  const { now } = Date;
  Date.now = () => now() + 60_000;
  onTestFinished(() => void (Date.now = now));
}

test("after an outcome that is not known the record is read first: what is stored is not done again (contract 5.27h)", async () => {
  const { session, state, records, stored } = await openSession();
  state.losesCommit = true;
  let runs = 0;
  const body = (): number => (runs += 1);
  await expect(session.transact(records.slice(0, 3), body)).rejects.toThrow(/not known whether/u);
  expect([runs, session.position(0)]).toEqual([1, 0n]);
  await state.restore();
  await session.transact(records.slice(0, 3), body);
  expect([runs, session.position(0), await stored()]).toEqual([1, 3n, 3n]);
  await session.transact(records.slice(3), body);
  expect([runs, session.position(0), await stored()]).toEqual([2, 6n, 6n]);
  await session.close();
});

test("nor is it as a part of more (contract 5.27h)", async () => {
  const { session, state, records, stored } = await openSession();
  state.losesCommit = true;
  await expect(session.transact(records.slice(0, 3), () => undefined)).rejects.toThrow(/not known whether/u);
  await state.restore();
  let isRun = false;
  const body = (): void => void (isRun = true);
  await expect(session.transact(records, body)).rejects.toMatchObject({ code: "NOT_NEXT" });
  expect([isRun, session.position(0), await stored()]).toEqual([false, 3n, 3n]);
  await session.transact(records.slice(3), body);
  expect([isRun, await stored()]).toEqual([true, 6n]);
  await session.close();
});

test("a claim that is lost while the body runs fences the session, and nothing is stored (contract 5.27d)", async () => {
  const { store, session, records, stored } = await openSession({ sharing: "takeover" });
  const call = session.transact(records, () => store.claim([{ key, token: "other", owner: "newer" }]));
  await expect(call).rejects.toMatchObject({ name: "OffsetFencedError", reason: "superseded", owner: "newer" });
  expect(await stored()).toBe(0n);
  await expect(session.transact(records, () => undefined)).rejects.toBe(session.fenced);
});

test("a reset while the body runs leaves the session where the reset went (contract 5.27d)", async () => {
  const { session, records, stored } = await openSession();
  await session.transact(records.slice(0, 2), () => session.resetTo(0, 100n, "below-log"));
  expect(session.position(0)).toBe(100n);
  await session.flush();
  expect(await stored()).toBe(100n);
  await expect(session.transact(records.slice(2), () => undefined)).rejects.toMatchObject({ code: "NOT_HELD" });
  await session.close();
});

test("a record that may have expired is written anew before the transaction, which writes only over what is there (contract 5.27a)", async () => {
  const { store, session, records, stored } = await openSession({ ttl: 60_000 });
  await store.delete({ keys: [key] });
  expireByTheClock();
  await session.transact(records, () => undefined);
  expect(await stored()).toBe(6n);
  await session.close();
});

test("nor is anything of it lost in a caller's transaction: whose it is, and its metadata (contract 5.6)", async () => {
  const { sound, store, session, records } = await openSession({ ttl: 60_000 });
  session.commit(records[0], { metadata: "kept" });
  await session.flush();
  const before = await store.fetch([key]);
  await store.delete({ keys: [key] });
  const own = await sound.begin?.();
  if (own === undefined || records[1] === undefined) throw new Error("no transactions");
  expireByTheClock();
  await session.commitWithin(own.transaction, records[1]);
  await own.commit();
  expect(before).toMatchObject([{ record: { metadata: "kept", member: expect.any(String) } }]);
  const record = before[0]?.status === "found" ? before[0].record : undefined;
  const { owner, member, ttl, epoch } = record ?? {};
  const kept = { owner, member, ttl, epoch, metadata: "kept" };
  expect(await store.fetch([key])).toMatchObject([{ record: { ...kept, nextOffset: 2n } }]);
  await session.close();
});

test("what is acknowledged while the body runs is stored after it, and nothing of before is lost (contract 5.27f)", async () => {
  const { session, records, stored } = await openSession();
  const [first, second, third] = records;
  if (first === undefined || second === undefined || third === undefined) throw new Error("too few records");
  session.acknowledge(third);
  await session.transact(first, async () => {
    session.acknowledge(second);
    await session.flush();
    expect(await stored()).toBe(0n);
  });
  expect(session.position(0)).toBe(3n);
  await session.flush();
  expect(await stored()).toBe(3n);
  await session.close();
});

test.each([["standby"], ["takeover"]] as const)(
  "%s: a claim that is found lost by the flush before the body begins no body, and nothing is stored (contract 5.27d)",
  async (sharing) => {
    const { store, session, state, records, stored } = await openSession({ sharing });
    const reached = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<void>();
    state.gate = () => {
      reached.resolve();
      return opened.promise;
    };
    session.commit(records[0]);
    const flushed = session.flush();
    await reached.promise;
    let isRun = false;
    const transacted = session.transact(records.slice(1, 3), () => void (isRun = true));
    await store.claim([{ key, token: "another's", owner: "another" }]);
    opened.resolve();
    if (sharing === "standby") {
      await expect(transacted).rejects.toMatchObject({ code: "NOT_HELD" });
      await flushed;
    } else {
      await expect(transacted).rejects.toMatchObject({ name: "OffsetFencedError", owner: "another" });
      await expect(transacted).rejects.toBe(session.fenced);
      await expect(flushed).rejects.toBe(session.fenced);
    }
    expect([isRun, await stored()]).toEqual([false, 0n]);
    await session.close().catch(() => undefined);
  },
);

test("a claim that is lost before it is known whether the transaction was committed is NOT_HELD, and the error does not say that it was rolled back (contract 3.16h)", async () => {
  const { store, session, state, records, stored } = await openSession();
  state.afterCommit = () => store.claim([{ key, token: "other", owner: "newer" }]);
  const error: unknown = await session.transact(records, () => undefined).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "NOT_HELD", message: expect.stringMatching(/not known whether/u) });
  expect(error).not.toMatchObject({ message: expect.stringMatching(/rolled back/u) });
  expect(await stored()).toBe(6n);
  await session.close();
});

test("a claim that is lost before commitWithin is NOT_HELD, and the error says that the caller has to roll back (contract 5.15)", async () => {
  const { sound, store, session, records, stored } = await openSession();
  await store.claim([{ key, token: "other", owner: "newer" }]);
  const own = await sound.begin?.();
  if (own === undefined || records[0] === undefined) throw new Error("no transactions");
  const error: unknown = await session.commitWithin(own.transaction, records[0]).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "NOT_HELD",
    message: expect.stringMatching(/"newer".*; roll the transaction back/u),
  });
  await own.rollback();
  expect(await stored()).toBe(0n);
  await session.close();
});

test("a session that a newer one of its instance has ended rejects with that, whatever its transaction waited for (contract 8.10)", async () => {
  const { session, options, records, stored } = await openSession({ instance: "one" });
  let newer: Awaited<ReturnType<typeof openOffsetSession>> | undefined;
  const transacted = session.transact(records, async () => {
    newer = await openOffsetSession(options);
    await eventually(() => session.fenced !== undefined);
  });
  await expect(transacted).rejects.toMatchObject({ name: "OffsetFencedError", key, reason: "superseded" });
  await expect(transacted).rejects.toMatchObject({ cause: { message: expect.stringMatching(/rolled back/u) } });
  expect(await stored()).toBe(0n);
  await newer?.close();
  await session.close().catch(() => undefined);
});

test("what a body throws of another key is no loss of its own partition (contract 3.16f)", async () => {
  const { session, records, stored } = await openSession();
  const other = { ...key, partition: 7 };
  const refused = new OffsetStoreError("refused", {
    ...{ code: "CONFLICT", operation: "commit", store: "sound", keys: [other] },
    refusal: { status: "fenced", reason: "superseded" },
  });
  const body = (): never => {
    throw refused;
  };
  await expect(session.transact(records, body)).rejects.toBe(refused);
  expect(session.partitions).toEqual([0]);
  await session.transact(records, () => undefined);
  expect(await stored()).toBe(6n);
  await session.close();
});

test("a body is not begun for one partition when another's loss has just ended the session (contract 5.4)", async () => {
  const { store, session, state, records } = await openSession({ sharing: "takeover", partitions: [0, 1] });
  session.startAt(1, 0n);
  await session.flush();
  const record = { partition: 1, offset: 0n };
  session.deliver(record);
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  state.gate = () => {
    reached.resolve();
    return opened.promise;
  };
  session.commit(records[0]);
  const flushed = session.flush();
  await reached.promise;
  let isRun = false;
  const transacted = session.transact(record, () => void (isRun = true));
  await store.claim([{ key, token: "another's", owner: "another" }]);
  opened.resolve();
  await expect(transacted).rejects.toMatchObject({ name: "OffsetFencedError" });
  await expect(transacted).rejects.toBe(session.fenced);
  await expect(flushed).rejects.toBe(session.fenced);
  expect(isRun).toBe(false);
  expect(session.fenced).toMatchObject({ key: { partition: 0 } });
  await session.close().catch(() => undefined);
});

type Opened = Awaited<ReturnType<typeof openSession>>;

/** Releases partition 0 while a flush is under way, begins a transaction of it before the release is written, and ends it with `end`. */
async function releaseBehindTransaction({ session, state, records }: Opened, end: () => void) {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  state.gate = () => {
    reached.resolve();
    return opened.promise;
  };
  session.deliver({ partition: 1, offset: 0n });
  session.commit({ partition: 1, offset: 0n });
  const flushed = session.flush();
  await reached.promise;
  const releasing = session.release([0]);
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const transacted = session.transact(records.slice(0, 3), async () => {
    begun.resolve();
    await ended.promise;
    end();
  });
  opened.resolve();
  await Promise.all([flushed, begun.promise]);
  return { transacted, releasing, endTransaction: ended.resolve };
}

test("a release that a transaction was begun before is written when that is over (contract 5.27f, 5.27g)", async () => {
  const all = await openSession({ sharing: "takeover", partitions: [0, 1] });
  const { session, stored } = all;
  session.startAt(1, 0n);
  await session.flush();
  const { transacted, releasing, endTransaction } = await releaseBehindTransaction(all, () => undefined);
  endTransaction();
  await Promise.all([transacted, releasing]);
  await eventually(() => !session.partitions.includes(0));
  expect(await stored()).toBe(3n);
  await session.close();
});

test("a release that a transaction was begun before has not been waiting since the last write (contract 5.6)", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const events = new EventLog<OffsetSessionEvent>();
  const all = await openSession({ sharing: "takeover", partitions: [0, 1], onEvent: events.hear });
  const { session, state } = all;
  session.startAt(1, 0n);
  await session.flush();
  await vi.advanceTimersByTimeAsync(120_000);
  const { transacted, releasing, endTransaction } = await releaseBehindTransaction(all, () => {
    throw new Error("no results");
  });
  state.gate = () => new Promise((resolve) => setTimeout(resolve, 20));
  endTransaction();
  await expect(transacted).rejects.toThrow("no results");
  await vi.advanceTimersByTimeAsync(10_000);
  await releasing;
  expect(session.partitions).toEqual([1]);
  expect(events.of("stalled")).toEqual([]);
  await session.close();
});
