import { assert } from "../../assert.ts";
import { OFFSET_STORE_ERROR_CODES, OffsetStoreError } from "../../../errors/offset-store-error.ts";
import type { OffsetKey } from "../../../key.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { type AnyStore, claim, keyOf, listed, newToken } from "../outcomes.ts";

/** What an error says. */
export const errorCases: readonly ConformanceCase[] = [
  {
    id: "error/of-the-store",
    clause: "3.19a",
    title: "every failure of a store is an OffsetStoreError with one of eight codes",
    run: async (context) => {
      const errors = await provoke(context);
      for (const { verb, error } of errors) {
        assert.ok(error instanceof OffsetStoreError, `${verb}: not an OffsetStoreError: ${String(error)}`);
        assert.ok(
          OFFSET_STORE_ERROR_CODES.includes(error.code),
          `${verb}: ${JSON.stringify(error.code)} is none of ${OFFSET_STORE_ERROR_CODES.join(", ")}`,
        );
        assert.equal(typeof error.retryable, "boolean", `${verb}: retryable is ${String(error.retryable)}`);
      }
    },
  },
  {
    id: "error/tells-what-it-is-about",
    clause: "3.19c",
    title: "an error has the store, the operation and the keys, and its message names the key",
    run: async (context) => {
      const { store } = context;
      for (const { verb, key, error } of await provoke(context)) {
        if (!(error instanceof OffsetStoreError)) continue;
        assert.equal(error.store, store.name, `${verb}: the error names another store`);
        assert.equal(error.operation, verb, `${verb}: the error names another operation`);
        if (key === undefined) continue;
        assert.deepEqual(error.keys, [key], `${verb}: the error names other keys`);
        // A refusal of all transactions is about the store, and not about a key.
        if (error.code === "UNSUPPORTED") continue;
        for (const part of [key.consumer, key.topic, String(key.partition)]) {
          assert.ok(error.message.includes(part), `${verb}: the message does not name the key: ${error.message}`);
        }
      }
    },
  },
  {
    id: "failure/messages-keep-secrets",
    clause: "3.17",
    title:
      "no error's message shows a token: of an outage, a record that cannot be read, a closed store, a wrong argument",
    run: async (context) => {
      const opened = await context.openAnother({ timeout: 5_000 });
      const { store } = opened;
      const [key, token] = [keyOf(), newToken()];
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.claim([{ key, token, owner: "o" }]),
        () => store.commit([{ key, token, nextOffset: 1n }]),
        () => store.commit([{ key, token, nextOffset: 1n, rewind: true, recreate: true, owner: "o" }]),
      ];
      const messages: string[] = [];
      const collect = async (more: readonly (() => Promise<unknown>)[] = calls): Promise<void> => {
        for (const result of await Promise.allSettled(more.map((call) => call()))) {
          if (result.status === "rejected") messages.push(String(result.reason));
          else messages.push(...(result.value as { error?: unknown }[]).map(({ error }) => String(error)));
        }
      };
      await collect([
        () => store.claim([{ key, token, owner: "" }]),
        () => store.commit([{ key, token, nextOffset: -1n }]),
        () => store.commit([{ key, token, nextOffset: 1n, metadata: "x".repeat(5_000) }]),
      ]);
      await claim(context.store, key, token);
      if (await context.corrupt(key)) await collect();
      if (opened.interrupt !== undefined) {
        const restore = await context.interrupt(opened);
        await collect();
        await restore();
      }
      await store.close();
      await collect();
      assert.ok(messages.filter((message) => message.includes("Error")).length >= 6, "no error was provoked");
      for (const message of messages) assert.ok(!message.includes(token), `a token is in the message: ${message}`);
    },
  },
];

interface Provoked {
  readonly verb: string;
  /** What the error is about; `undefined` for the whole store. */
  readonly key?: OffsetKey;
  readonly error: unknown;
}

/** Has a store fail in every way that it can be made to. */
async function provoke(context: ConformanceContext): Promise<readonly Provoked[]> {
  const { store } = context;
  const [key, token] = [keyOf({ consumer: "the consumer", topic: "the topic", partition: 7_654 }), newToken()];
  const provoked: Provoked[] = [];
  const collect = async (of: AnyStore, about: Pick<Provoked, "key">): Promise<void> => {
    const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["claim", () => of.claim([{ key, token, owner: "o" }])],
      ["commit", () => of.commit([{ key, token, nextOffset: 1n }])],
      ["fetch", () => of.fetch([key])],
      ["reset", () => of.reset([{ key, nextOffset: 1n }])],
      ["expire", () => of.expire([{ key, ttl: null }])],
    ];
    const results = await Promise.allSettled(calls.map(([, call]) => call()));
    results.forEach((result, index) => {
      const verb = calls[index]?.[0] ?? "";
      if (result.status === "rejected") provoked.push({ verb, ...about, error: result.reason });
      else
        for (const outcome of result.value as { error?: unknown }[])
          provoked.push({ verb, ...about, ...answer(outcome) });
    });
    await listed(of).catch((error: unknown) => provoked.push({ verb: "list", ...about, error }));
  };
  await claim(store, key, token);
  if (!store.capabilities.transactions) {
    const asked = store.commit([{ key, token, nextOffset: 1n }], { transaction: {} });
    await asked.catch((error: unknown) => provoked.push({ verb: "commit", key, error }));
  }
  if (await context.corrupt(key)) await collect(store, { key });
  const another = await context.openAnother({ timeout: 2_000 });
  if (another.interrupt !== undefined) {
    const restore = await context.interrupt(another);
    try {
      // Of all of its entries, or of the one that it has.
      await collect(another.store, {});
    } finally {
      await restore();
    }
  }
  await another.store.close();
  await collect(another.store, {});
  assert.ok(provoked.length >= 6, "no error was provoked");
  return provoked;
}

function answer(outcome: { error?: unknown }): Pick<Provoked, "error"> {
  assert.ok("error" in outcome, `answered although it could not be: ${JSON.stringify(outcome)}`);
  return { error: outcome.error };
}
