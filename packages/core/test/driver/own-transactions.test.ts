import { type OffsetKey, type OffsetStore, OffsetStoreError } from "@tidemark/core";
import { createOffsetStore, type OffsetStoreDriver, type OwnTransaction } from "@tidemark/core/driver";
import { describe, expect, it } from "vitest";
import { ConnectionReset, GaveWay, Rows, type SoundTransaction } from "../conformance/sound-backend.ts";
import { SoundDriver } from "../conformance/sound-driver.ts";

const key: OffsetKey = { consumer: "c", topic: "t", partition: 0 };
const entry = { key, token: "t", from: 10n, nextOffset: 20n };

type Driver = OffsetStoreDriver<SoundTransaction>;
type Own = OwnTransaction<SoundTransaction>;

/** A store with a position of 10 whose transactions are spoiled. */
async function openStore(spoil: (own: Own, driver: SoundDriver) => Partial<Own>, timeout = 1_000) {
  const sound = new SoundDriver({ rows: new Rows(), capabilities: { transactions: true } });
  const reads: (boolean | undefined)[] = [];
  /** What the next read's answer waits for. */
  const gate: { answer?: Promise<void> | undefined } = {};
  const begun: Own[] = [];
  const ended: Own[] = [];
  const driver: Driver = {
    name: sound.name,
    capabilities: sound.capabilities,
    read: async (keys, context) => {
      const { answer } = gate;
      gate.answer = undefined;
      reads.push(context.confirmed);
      const entries = await sound.read(keys, context);
      await answer;
      return entries;
    },
    write: (...call) => sound.write(...call),
    list: (filter) => sound.list(filter),
    classify: (error) => sound.classify(error),
    close: () => sound.close(),
    begin: async () => {
      const own = await sound.begin?.();
      if (own === undefined) throw new Error("no transactions");
      const spoiled: Own = { ...own, ...spoil(own, sound) };
      begun.push(spoiled);
      const note = (): void => void ended.push(spoiled);
      return { ...spoiled, rollback: () => spoiled.rollback().finally(note) };
    },
  };
  const store = createOffsetStore(driver, { timeout });
  const { transact } = store;
  if (transact === undefined) throw new Error("no transact");
  await store.claim([{ key, token: "t", owner: "o" }]);
  await store.commit([{ key, token: "t", nextOffset: 10n, metadata: "m" }]);
  return { store, transact, sound, reads, gate, begun, ended };
}

async function stored(store: OffsetStore): Promise<bigint | undefined> {
  const [outcome] = await store.fetch([key]);
  return outcome?.status === "found" ? outcome.record.nextOffset : undefined;
}

const lost = (): never => {
  throw new ConnectionReset("the connection was reset");
};

describe("the end of a transaction that nobody answered for", () => {
  it("was committed, if the store finds its own version (contract 3.16h)", async () => {
    let runs = 0;
    const { store, transact } = await openStore((own) => ({ commit: () => own.commit().then(lost) }));
    expect(await transact(entry, () => (runs += 1))).toEqual({ status: "committed" });
    expect([runs, await stored(store)]).toEqual([1, 20n]);
  });

  it("is looked for by a read that says what it decides (contract 3.16h, 4.1a)", async () => {
    const { transact, reads } = await openStore((own) => ({ commit: () => own.commit().then(lost) }));
    reads.length = 0;
    await transact(entry, () => undefined);
    expect(reads).toEqual([undefined, true]);
  });

  it("is what the next call of its key reads as confirmed, where nobody knows it (contract 3.16i, 4.1a)", async () => {
    const ended = new AbortController();
    const { store, transact, reads } = await openStore((own) => ({
      commit: async () => {
        await own.commit();
        ended.abort(new Error("enough"));
        lost();
      },
    }));
    await expect(transact(entry, () => undefined, { signal: ended.signal })).rejects.toThrow("enough");
    reads.length = 0;
    const other = { ...key, partition: 1 };
    await store.fetch([other]);
    expect(await stored(store)).toBe(20n);
    await store.fetch([key, other]);
    expect(reads).toEqual([false, true, false]);
  });

  it("is still to be confirmed where a read was under way when it became unknown (contract 3.16i, 4.1a)", async () => {
    let ended = new AbortController();
    const { store, transact, reads, gate } = await openStore((own) => ({
      commit: async () => {
        await own.commit();
        ended.abort(new Error("enough"));
        lost();
      },
    }));
    const other = { ...key, partition: 1 };
    await store.claim([{ key: other, token: "t", owner: "o" }]);
    await store.commit([{ key: other, token: "t", nextOffset: 10n }]);
    const unknown = async (of: OffsetKey): Promise<void> => {
      ended = new AbortController();
      const call = transact({ ...entry, key: of }, () => undefined, { signal: ended.signal });
      await expect(call).rejects.toThrow("enough");
    };
    await unknown(other);
    const answered = Promise.withResolvers<void>();
    gate.answer = answered.promise;
    reads.length = 0;
    const looking = store.fetch([key, other]);
    await unknown(key);
    answered.resolve();
    await looking;
    await store.fetch([other]);
    await store.fetch([key]);
    expect(reads.filter((confirmed) => confirmed !== undefined)).toEqual([true, false, true]);
  });

  it("was not, if the former record can be written again: then it never is, and is begun again (contract 3.16h)", async () => {
    let runs = 0;
    let isFirst = true;
    const lateCommits: (() => Promise<void>)[] = [];
    const { store, transact, ended } = await openStore((own) => {
      if (!isFirst) return {};
      isFirst = false;
      // On its way still: it arrives when all is over.
      lateCommits.push(own.commit);
      return { commit: async () => lost(), rollback: async () => undefined };
    });
    expect(await transact(entry, () => (runs += 1))).toEqual({ status: "committed" });
    expect([runs, await stored(store), ended.length]).toEqual([2, 20n, 1]);
    for (const commit of lateCommits) await expect(commit()).rejects.toThrow("somebody has written since");
    const [outcome] = await store.fetch([key]);
    expect(outcome).toMatchObject({ record: { nextOffset: 20n, metadata: "m" } });
  });

  it("is known by the position, if somebody wrote under the same claim since (contract 3.16h)", async () => {
    const { store, transact } = await openStore((own) => ({
      commit: async () => {
        await own.commit();
        await store.expire([{ key, ttl: 60_000 }]);
        lost();
      },
    }));
    expect(await transact(entry, () => undefined)).toEqual({ status: "committed" });
    expect(await stored(store)).toBe(20n);
  });

  it("is not known, if somebody claimed since: the error says so and what to look at (contract 3.16h)", async () => {
    const { store, transact } = await openStore((own) => ({
      commit: async () => {
        await own.commit();
        await store.claim([{ key, token: "other", owner: "newer" }]);
        lost();
      },
    }));
    const call = transact(entry, () => undefined);
    await expect(call).rejects.toMatchObject({
      code: "CONFLICT",
      retryable: false,
      keys: [key],
      refusal: { status: "fenced", reason: "superseded", owner: "newer" },
    });
    await expect(call).rejects.toThrow(/not known whether .* was committed/u);
    await expect(call).rejects.toThrow(/if it is 20 or more, they are stored/u);
  });

  it("is not known, if the store cannot be reached until the time is up (contract 3.16h)", async () => {
    const restore: (() => Promise<void>)[] = [];
    const { store, transact } = await openStore(
      (own, driver) => ({
        commit: async () => {
          await own.commit();
          restore.push(driver.connection.break("cut"));
          lost();
        },
      }),
      100,
    );
    const error = await transact(entry, () => undefined).then(
      () => expect.fail("it was not refused"),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(OffsetStoreError);
    expect(error).toMatchObject({ code: "TIMEOUT", retryable: true, refusal: undefined });
    expect((error as Error).message).toMatch(/not known whether/u);
    for (const each of restore) await each();
    // Asked again it says that it was: nothing is written twice.
    await expect(transact(entry, () => undefined)).rejects.toMatchObject({ refusal: { status: "behind" } });
    expect(await stored(store)).toBe(20n);
  });

  it.each(["before", "while"])("is not looked for after an abort %s the store looks (contract 3.9b)", async (when) => {
    const abort = new AbortController();
    const restore: (() => Promise<void>)[] = [];
    const { transact } = await openStore((own, driver) => ({
      commit: async () => {
        await own.commit();
        restore.push(driver.connection.break("silent"));
        if (when === "before") abort.abort("enough");
        else setImmediate(() => abort.abort("enough"));
        lost();
      },
    }));
    const thrown: unknown = await transact(entry, () => undefined, { signal: abort.signal }).catch(
      (error: unknown) => error,
    );
    expect(thrown).toBe("enough");
    for (const each of restore) await each();
  });

  it("is found out also where COMMIT hangs (contract 3.16h)", async () => {
    const { store, transact } = await openStore(
      (own) => ({
        commit: async () => {
          await own.commit();
          await new Promise(() => undefined);
        },
      }),
      100,
    );
    expect(await transact(entry, () => undefined)).toEqual({ status: "committed" });
    expect(await stored(store)).toBe(20n);
  });
});

describe("a transaction that gave way to another", () => {
  it("is begun again, the body too, and each one is ended (contract 3.16g)", async () => {
    let runs = 0;
    const { store, transact, begun, ended } = await openStore(() => ({}));
    await transact(entry, async () => {
      runs += 1;
      if (runs === 1) throw new GaveWay("a deadlock");
      if (runs === 2) await store.expire([{ key, ttl: 60_000 }]);
    });
    expect([runs, begun.length, ended.length]).toEqual([3, 3, 2]);
    expect(await stored(store)).toBe(20n);
  });

  it("rejects with the body's own error once the time is up (contract 3.16g)", async () => {
    const { transact, begun, ended } = await openStore(() => ({}), 150);
    const failure = new GaveWay("a deadlock");
    const call = transact(entry, () => {
      throw failure;
    });
    await expect(call).rejects.toBe(failure);
    expect(begun.length).toBeGreaterThan(1);
    expect(ended.length).toBe(begun.length);
  });

  it("is refused, if the claim was lost while the body ran (contract 3.16g)", async () => {
    const { store, transact, ended } = await openStore(() => ({}));
    const call = transact(entry, () => store.claim([{ key, token: "other", owner: "newer" }]));
    await expect(call).rejects.toMatchObject({ code: "CONFLICT", refusal: { status: "fenced", owner: "newer" } });
    expect([await stored(store), ended.length]).toEqual([10n, 1]);
  });
});

describe("how long it takes", () => {
  it("is the body's own affair: it may take longer than a call (contract 3.16i)", async () => {
    const { store, transact } = await openStore(() => ({}), 40);
    await transact(entry, () => new Promise((resolve) => setTimeout(resolve, 120)));
    expect(await stored(store)).toBe(20n);
  });

  it("an abort ends it when the body is done, and nothing is stored (contract 3.16i)", async () => {
    const { store, transact, ended } = await openStore(() => ({}));
    const abort = new AbortController();
    const call = transact(entry, async () => abort.abort(new Error("enough")), { signal: abort.signal });
    await expect(call).rejects.toThrow("enough");
    expect([await stored(store), ended.length]).toEqual([10n, 1]);
  });

  it("an abort while the commit is under way leaves open whether it is stored (contract 3.16i)", async () => {
    const abort = new AbortController();
    const { store, transact, ended } = await openStore((own) => ({
      commit: async () => {
        await own.commit();
        abort.abort(new Error("enough"));
        await new Promise(() => undefined);
      },
    }));
    await expect(transact(entry, () => undefined, { signal: abort.signal })).rejects.toThrow("enough");
    expect([await stored(store), ended.length]).toEqual([20n, 1]);
  });

  it("an abort in the moment at which it begins leaves none open (contract 3.9b)", async () => {
    const abort = new AbortController();
    const { store, transact, begun, ended } = await openStore(() => {
      abort.abort(new Error("enough"));
      return {};
    });
    let runs = 0;
    const call = transact(entry, () => (runs += 1), { signal: abort.signal });
    await expect(call).rejects.toThrow("enough");
    await expect.poll(() => ended.length).toBe(1);
    expect([runs, begun.length, await stored(store)]).toEqual([0, 1, 10n]);
  });

  it("closing waits for it as long as for a call (contract 3.9c)", async () => {
    const { store, transact } = await openStore(() => ({}), 40);
    const never = transact(entry, () => new Promise(() => undefined));
    await store.close();
    never.catch(() => undefined);
    await expect(transact(entry, () => undefined)).rejects.toMatchObject({ code: "CLOSED", operation: "transact" });
  });
});
