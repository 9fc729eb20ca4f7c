import assert from "node:assert/strict";
import { type OffsetKey, OffsetStoreError } from "@tidemark/core";
import { createOffsetStore } from "@tidemark/core/driver";
import { describe, it } from "vitest";
import { nameOf, SoundBackend } from "./sound-backend.ts";
import { SoundDriver } from "./sound-driver.ts";

const key: OffsetKey = { consumer: "c", topic: "t", partition: 0 };
const whole = {
  v: 1,
  nextOffset: "5",
  committedAt: "write",
  metadata: "m",
  mark: "log",
  acknowledged: [["7", "9"]],
  resetFrom: { nextOffset: "3", reason: "start", at: 1_000 },
  ttl: 3_600_000,
  epoch: 7,
  token: "a token",
  owner: "o",
  member: "m",
  claimedAt: 2_000,
};

/** A store whose backend keeps this text under the key, and the driver behind it. */
function keeping(value: string): { store: ReturnType<typeof createOffsetStore>; driver: SoundDriver } {
  const rows = new SoundBackend().rows("stored");
  rows.set(nameOf(key), { key, version: "by hand", value, writtenAt: Date.now(), reclaimAt: Infinity });
  const driver = new SoundDriver({ rows });
  return { store: createOffsetStore(driver), driver };
}

describe("a stored record", () => {
  it("is read as it was written, and so is one with fields that nobody knows", async () => {
    for (const more of [{}, { later: "a field" }]) {
      const { store } = keeping(JSON.stringify({ ...whole, ...more }));
      const [outcome] = await store.fetch([key]);
      assert.equal(outcome?.status, "found");
      const { updatedAt: _, expiresAt: __, committedAt: ___, ...record } = outcome.record;
      assert.deepEqual(record, {
        ...key,
        ...{ nextOffset: 5n, metadata: "m", mark: "log", acknowledged: [{ from: 7n, to: 9n }], epoch: 7 },
        resetFrom: { nextOffset: 3n, reason: "start", at: new Date(1_000) },
        ...{ ttl: 3_600_000, owner: "o", member: "m", claimedAt: new Date(2_000) },
      });
    }
  });

  const wrong: Readonly<Record<string, string>> = {
    "is empty": "",
    "is no JSON": "{ not a record",
    "is a list": "[]",
    "is nothing": "null",
    "has no version": JSON.stringify({ ...whole, v: undefined }),
    "has a version as text": JSON.stringify({ ...whole, v: "1" }),
    ...fieldsWrong("nextOffset", "9223372036854775808", "-1", "05", "1e3", "", 5, null),
    ...fieldsWrong("metadata", 5, null, {}),
    ...fieldsWrong("mark", 5, null),
    ...fieldsWrong("acknowledged", "7 to 9", [["7"]], [["7", "x"]], [["7", "8", "9"]], [{ from: "7", to: "9" }]),
    ...fieldsWrong(
      "resetFrom",
      "start",
      {},
      { reason: 5, at: 1_000 },
      { reason: "start" },
      { reason: "start", at: -1 },
    ),
    ...fieldsWrong("ttl", 0, -1, 0.5, "3600000", 1e300),
    ...fieldsWrong("epoch", -1, 0.5, "7", null, 2 ** 53),
    ...fieldsWrong("token", 5),
    ...fieldsWrong("owner", 5),
    ...fieldsWrong("member", 5),
    ...fieldsWrong("claimedAt", "then", 0, -5, 9e15),
    ...fieldsWrong("committedAt", "then", 0),
    ...fieldsWrong("released", "yes", 1),
    ...fieldsWrong("notAfter", 0, "soon"),
  };
  for (const [what, value] of Object.entries(wrong)) {
    it(`that ${what} fails every verb but a delete of its key, and is left as it is (contract 3.3a)`, async () => {
      const { store, driver } = keeping(value);
      await expectCorrupt(store, /CORRUPT_RECORD/);
      assert.equal(driver.rows.get(nameOf(key))?.value, value, "it was written over");
      assert.deepEqual(await store.delete({ expired: true }), []);
      assert.ok(driver.rows.has(nameOf(key)), "a sweep removed it");
      await store.delete({ keys: [key] });
      assert.equal((await store.fetch([key]))[0]?.status, "absent");
    });
  }

  it("of a later release says so, and no verb changes it (contract 3.20)", async () => {
    const value = JSON.stringify({ v: 2, somethingElse: true });
    const { store, driver } = keeping(value);
    await expectCorrupt(store, /its version is 2, and this release reads version 1/);
    await store.delete({ expired: true });
    assert.equal(driver.rows.get(nameOf(key))?.value, value);
  });
});

it("tells the backend from when the space of each record may be taken back", async () => {
  const rows = new SoundBackend().rows("reclaimed");
  const store = createOffsetStore(new SoundDriver({ rows }));
  const entry = { key, token: "a token" };
  const reclaimedAfter = (): number => {
    const row = rows.get(nameOf(key));
    return (row?.reclaimAt ?? 0) - (row?.writtenAt ?? 0);
  };
  await store.claim([{ ...entry, owner: "o" }]);
  assert.equal(reclaimedAfter(), Infinity);
  await store.commit([{ ...entry, nextOffset: 1n, ttl: 60_000 }]);
  assert.equal(reclaimedAfter(), 60_000);
  await store.commit([{ ...entry, nextOffset: 2n }]);
  assert.equal(reclaimedAfter(), 60_000);
  await store.expire([{ key, ttl: 70_000 }]);
  assert.equal(reclaimedAfter(), 70_000);
  await store.claim([{ ...entry, owner: "o", ttl: null }]);
  assert.equal(reclaimedAfter(), Infinity);
  await store.reset([{ key, nextOffset: 1n, ttl: 80_000 }]);
  assert.equal(reclaimedAfter(), 80_000);
});

function fieldsWrong(field: string, ...values: readonly unknown[]): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => [`has ${field} ${JSON.stringify(value)}`, JSON.stringify({ ...whole, [field]: value })]),
  );
}

async function expectCorrupt(store: ReturnType<typeof createOffsetStore>, says: RegExp): Promise<void> {
  const entry = { key, token: "a token" };
  const calls: readonly Promise<readonly { readonly status: string; readonly error?: OffsetStoreError }[]>[] = [
    store.claim([{ ...entry, owner: "o" }]),
    store.commit([{ ...entry, nextOffset: 6n, recreate: true, owner: "o" }]),
    store.fetch([key]),
    store.reset([{ key, nextOffset: 6n }]),
    store.expire([{ key, ttl: null }]),
  ];
  for (const [outcome] of await Promise.all(calls)) {
    assert.equal(outcome?.status, "failed");
    assert.equal(outcome.error?.code, "CORRUPT_RECORD");
    assert.match(`${outcome.error.code} ${outcome.error.message}`, says);
  }
  await assert.rejects(Array.fromAsync(store.list()), (error: unknown) => {
    assert.ok(error instanceof OffsetStoreError);
    assert.equal(error.code, "CORRUPT_RECORD");
    assert.deepEqual(error.keys, [key]);
    return true;
  });
}
