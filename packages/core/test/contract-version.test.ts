import assert from "node:assert/strict";
import { createConsumer, type LogSource, type OffsetStore, openOffsetSession } from "@tidemark/core";
import { createOffsetStore, resolveStoreOptions, validateLogOptionNames } from "@tidemark/core/driver";
import { describe, it } from "vitest";
import { tinyDriver } from "./driver/tiny-driver.ts";

const other = { name: "TypeError", message: /version 2 of Tidemark's contract.* implements version 1: install/ };
const source = new Proxy({}, { get: () => () => assert.fail("the log was used") }) as LogSource;

/** A store that another copy of this package made, as a tree of packages may well hold. */
function foreignStore(version: number): OffsetStore {
  const refuse = (): never => assert.fail("the store was used");
  const store = createOffsetStore(tinyDriver({ read: refuse, write: refuse }));
  return Object.assign(store, { [Symbol.for("@tidemark/core/contract-version")]: version });
}

describe("what was written for another version of the contract is refused before any I/O", () => {
  it("a driver and a log that say so", () => {
    assert.throws(() => createOffsetStore(tinyDriver({ contractVersion: 2 })), other);
    assert.throws(() => resolveStoreOptions({}, 2), other);
    assert.throws(() => validateLogOptionNames({}, [], 2), other);
    createOffsetStore(tinyDriver({ contractVersion: 1 }));
  });

  it("a store that another copy of core made", async () => {
    const options = { consumer: "c", topic: "t", partitions: [0] };
    await assert.rejects(openOffsetSession({ ...options, store: foreignStore(2) }), other);
    await assert.rejects(createConsumer({ ...options, source, store: foreignStore(2) }), /the tiny store is built for/);
    await assert.rejects(createConsumer({ ...options, source, store: foreignStore(2), strategy: "none" }), other);
  });

  it("but neither one of the same version, nor one made without createOffsetStore, nor a mock of one", async () => {
    const mock = new Proxy(tinyStore(), {
      get: (own, name) => (Reflect.get(own, name) as unknown) ?? (() => undefined),
    });
    for (const store of [createOffsetStore(tinyDriver()), tinyStore(), mock]) {
      const session = await openOffsetSession({ store, consumer: "c", topic: "t", partitions: [0] });
      await session.close();
    }
  });
});

function tinyStore(): OffsetStore {
  const store = createOffsetStore(tinyDriver());
  const verbs = ["claim", "commit", "fetch", "list", "reset", "expire", "delete", "close"] as const;
  const members = ["heartbeat", "leave", "members", "group"] as const;
  const bound = [...verbs, ...members].map((verb) => [verb, store[verb].bind(store)] as const);
  return {
    ...(Object.fromEntries(bound) as unknown as OffsetStore),
    name: "own",
    namespace: "n",
    capabilities: store.capabilities,
  };
}
