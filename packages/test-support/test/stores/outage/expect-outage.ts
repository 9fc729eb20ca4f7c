import type { OffsetStore } from "@tidemark/core";
import { expect } from "vitest";
import { codeOf, key, statusOf, TIMEOUT_MS } from "./bench.ts";

/** What a call may take beyond its time-out, in milliseconds: with it, less than the default of a time-out. */
const SLACK_MS = 7_000;

/** Expects that every verb fails as an outage, and not with an answer, within its time-out. All are called at once. */
export async function expectOutage(store: OffsetStore<unknown>, token: string): Promise<void> {
  await Promise.all(
    verbsOf(store, token).map(async ([verb, call]) => {
      const startedAt = performance.now();
      expect([verb, await call()]).toEqual([verb, expect.stringMatching(/^(TIMEOUT|UNAVAILABLE)$/)]);
      expect(performance.now() - startedAt, verb).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    }),
  );
}

/** One call of each verb, with what came of it: a status, or an error's code. */
function verbsOf(store: OffsetStore<unknown>, token: string): readonly (readonly [string, () => Promise<string>])[] {
  return [
    ["commit", () => store.commit([{ key, token, nextOffset: 6n }]).then(statusOf, codeOf)],
    ["renew", () => store.commit([{ key, token }]).then(statusOf, codeOf)],
    [
      "recreate",
      () => store.commit([{ key, token, nextOffset: 6n, recreate: true, owner: "o" }]).then(statusOf, codeOf),
    ],
    ["fetch", () => store.fetch([key]).then(statusOf, codeOf)],
    ["list", () => Array.fromAsync(store.list()).then((records) => `${records.length} records`, codeOf)],
    ["reset", () => store.reset([{ key, nextOffset: 6n }]).then(statusOf, codeOf)],
    ["expire", () => store.expire([{ key, ttl: null }]).then(statusOf, codeOf)],
    ["claim", () => store.claim([{ key, token, owner: "o" }]).then(statusOf, codeOf)],
    ["delete", () => store.delete({ keys: [{ ...key, partition: 9 }] }).then(() => "deleted", codeOf)],
  ];
}
