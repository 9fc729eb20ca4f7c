import { inspect } from "node:util";

import { OFFSET_STORE_ERROR_CODES } from "../../../errors/offset-store-error.ts";
import type { Change } from "../../../driver/driver.ts";
import { endsWithin } from "../../ends-within.ts";
import { eventually } from "../../store/eventually.ts";
import type { DriverConformanceCase, DriverVerb } from "../driver-case.ts";
import type { AnyDriver } from "../driver-context.ts";
import {
  change,
  expectStored,
  identityOf,
  memberKey,
  mustBe,
  never,
  newVersion,
  positionKey,
  put,
  readOne,
  wrong,
} from "../driver-calls.ts";

/** Milliseconds within which a call must have failed whose connection is gone. A driver has no time-out of its own; core has. */
const SETTLED_MS = 15_000;
const VALUE_CHARACTERS = 4_096;

/** What becomes of calls whose connection breaks. An embedded driver has none; its backend may be gone all the same. */
export const connectionCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/cut-off",
    clause: "4.7",
    verb: "read",
    title:
      "while its backend cannot be reached every verb rejects with what is classified as one that may pass, and works again later",
    run: async (context) => {
      const opened = await context.openAnother();
      const driver = context.driverOf(opened);
      const one = change(positionKey());
      await put(driver, [one]);
      const restore = await context.makeUnavailable(opened);
      if (restore === undefined) return;
      try {
        const calls = [...callsOf(driver), ...callsWithConditions(driver, one)];
        await Promise.all(calls.map(([verb, call]) => expectFailure(driver, verb, call)));
      } finally {
        await restore();
      }
      await worksAgain(driver);
      const { key, version, value = "" } = one;
      await expectStored(driver, key, { version, value }, "calls that could not reach the backend");
    },
  },
  {
    id: "driver/listing-cut-off",
    clause: "4.3d",
    verb: "list",
    title: "a listing whose connection breaks between two pages rejects, and does not end as if it were complete",
    run: async (context) => {
      if (!context.isRemote()) return;
      const opened = await context.openAnother();
      const driver = context.driverOf(opened);
      const keys = Array.from({ length: 2_000 }, (_, index) =>
        positionKey({ topic: `t${index % 100}`, partition: Math.floor(index / 100) }),
      );
      await put(
        context.driver,
        keys.map((key) => change(key, { value: "x".repeat(VALUE_CHARACTERS) })),
      );
      const seen = new Set<string>();
      const listing = async (): Promise<void> => {
        let restore: (() => Promise<void>) | undefined;
        try {
          for await (const { entries } of driver.list({ kind: "position" }, { signal: never() })) {
            for (const { key } of entries) seen.add(identityOf(key));
            restore ??= await context.interrupt(opened);
          }
        } finally {
          await restore?.();
        }
      };
      const error: unknown = await settled("list", listing()).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) {
        mustBe(
          "list",
          seen.size === keys.length,
          `its connection broke, and it ended after ${seen.size} of ${keys.length}`,
        );
      } else expectPassing(driver, "list", error);
    },
  },
  {
    id: "driver/not-sent-again",
    clause: "4.2e",
    verb: "write",
    title: "a write that did not arrive rejects, and is not sent again by the driver: core does that after a look",
    run: async (context) => {
      if (!context.isRemote()) return;
      const opened = await context.openAnother();
      const driver = context.driverOf(opened);
      const key = positionKey();
      const first = change(key);
      await put(driver, [first]);
      const restore = await context.silence(opened);
      const late = change(key, { expected: [first.version], value: "late" });
      const writing = outcomeOf(driver.write([late], { signal: never() }));
      // What is sent is under way by then, on a busy machine too: no event says when it is.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await restore();
      const outcome = await settled("write", writing);
      if (outcome.error === undefined)
        wrong("write", `nothing had arrived, and it was answered: ${inspect(outcome.answer)}`);
      expectPassing(driver, "write", outcome.error);
      await expectStored(
        context.driver,
        key,
        { version: first.version, value: first.value ?? "" },
        "a write that did not arrive",
      );
      await worksAgain(driver);
    },
  },
  {
    id: "driver/answer-lost",
    clause: "4.2e",
    verb: "write",
    title:
      "a write whose answer gets lost rejects, or fails its changes: it is neither written nor a conflict, as far as it knows",
    run: async (context) => {
      if (!context.isRemote()) return;
      const opened = await context.openAnother();
      const driver = context.driverOf(opened);
      const key = positionKey();
      const made = change(key);
      await put(driver, [made]);
      // The same kind of write once: a driver may have to prepare it first, and that answer is not the one to be lost.
      const first = change(key, { expected: [made.version] });
      await put(driver, [first]);
      const restore = await context.loseAnswers(opened);
      const second = change(key, { expected: [first.version], value: "second" });
      const writing = outcomeOf(driver.write([second], { signal: never() }));
      await eventually("the harness's loseAnswers lets a write arrive", async () => {
        return (await readOne(context.driver, key))?.version === second.version;
      });
      await restore();
      const outcome = await settled("write", writing);
      if (outcome.error === undefined)
        wrong("write", `its answer was lost, and it was answered: ${inspect(outcome.answer)}`);
      expectPassing(driver, "write", outcome.error);
      await worksAgain(driver);
    },
  },
  {
    id: "driver/given-up",
    clause: "4.8a",
    verb: "write",
    title: "calls that are given up, however often, leave the driver usable",
    run: async ({ driver }) => {
      // More often than a client has connections.
      for (let round = 0; round < 24; round += 1) {
        for (const [verb] of callsOf(driver)) {
          const ended = new AbortController();
          const call = callsOf(driver, ended.signal).find(([name]) => name === verb)?.[1];
          const pending = call?.().catch(() => undefined);
          if (round % 2 === 0) await Promise.resolve();
          ended.abort(new Error("given up"));
          // Where the driver pays no heed to the signal it answers: both are well.
          await settled(verb, pending ?? Promise.resolve());
        }
      }
      await worksAgain(driver);
    },
  },
  {
    id: "driver/classifies",
    clause: "4.7",
    verb: "classify",
    title: "for any value it says what kind of failure that is, in words",
    run: async ({ driver }) => {
      const named = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
      for (const error of [new Error("of no known kind"), named, new TypeError(""), "text", undefined, null, {}]) {
        classified(driver, error);
      }
    },
  },
  {
    id: "driver/close",
    clause: "4.8b",
    verb: "close",
    title: "a driver that closes leaves the data, and every other client, as they are",
    run: async (context) => {
      const opened = await context.openAnother();
      const driver = context.driverOf(opened);
      const one = change(positionKey());
      await put(driver, [one]);
      for await (const _ of driver.list({ kind: "position" }, { signal: never() })) break;
      await settled("close", opened.store.close());
      await expectStored(
        context.driver,
        one.key,
        { version: one.version, value: one.value ?? "" },
        "another client was closed",
      );
      await worksAgain(context.driver);
    },
  },
];

function callsOf(driver: AnyDriver, signal = never()): readonly (readonly [DriverVerb, () => Promise<unknown>])[] {
  const key = positionKey({ topic: "calls" });
  return [
    ["read", () => driver.read([key], { signal })],
    ["write", () => driver.write([change(key, { version: newVersion() })], { signal })],
    ["list", () => Array.fromAsync(driver.list({ kind: "position" }, { signal }))],
  ];
}

/** What could be taken for done, or for a conflict, by who takes a backend that is gone for an empty one. */
function callsWithConditions(
  driver: AnyDriver,
  { key, version }: Change,
): readonly (readonly [DriverVerb, () => Promise<unknown>])[] {
  const write = (parts: Partial<Change>) => () => driver.write([change(key, parts)], { signal: never() });
  return [
    ["read", () => driver.read([memberKey()], { signal: never() })],
    ["write", write({ expected: [null] })],
    ["write", write({ expected: [version] })],
    ["write", write({ expected: "any", value: undefined })],
    ["write", write({ expected: [version], value: undefined })],
    ["write", write({ expected: [null], value: undefined })],
    ["list", () => Array.fromAsync(driver.list({ kind: "position", reclaimable: true }, { signal: never() }))],
    ["list", () => Array.fromAsync(driver.list({ kind: "member", consumer: "c1" }, { signal: never() }))],
  ];
}

interface Outcome {
  readonly answer?: unknown;
  /** What it rejected with, or what a change or an entry of it failed with. */
  readonly error?: unknown;
}

async function outcomeOf(call: Promise<unknown>): Promise<Outcome> {
  try {
    const answer = await call;
    const parts = (answer ?? {}) as { changes?: unknown; entries?: unknown };
    const answers = [parts.changes, parts.entries].find(Array.isArray) as readonly unknown[] | undefined;
    const failed = answers?.find((one): one is { readonly error: unknown } => {
      return typeof one === "object" && one !== null && "error" in one;
    });
    return failed === undefined ? { answer } : { error: failed.error ?? new Error("no error") };
  } catch (error) {
    return { error: error ?? new Error("rejected with nothing") };
  }
}

async function expectFailure(driver: AnyDriver, verb: DriverVerb, call: () => Promise<unknown>): Promise<void> {
  const { answer, error } = await settled(verb, outcomeOf(call()));
  if (error === undefined) wrong(verb, `its backend cannot be reached, and it was answered: ${inspect(answer)}`);
  expectPassing(driver, verb, error);
}

function expectPassing(driver: AnyDriver, verb: DriverVerb, error: unknown): void {
  const { code, retryable } = classified(driver, error);
  const isPassing = retryable && (code === "UNAVAILABLE" || code === "TIMEOUT");
  const what = `what ${verb} rejects with when its backend cannot be reached is ${code}, retryable ${retryable}: ${inspect(error)}`;
  mustBe("classify", isPassing, what);
}

function classified(driver: AnyDriver, error: unknown): ReturnType<AnyDriver["classify"]> {
  const classification = driver.classify(error);
  const { code, retryable, message } = classification;
  mustBe("classify", OFFSET_STORE_ERROR_CODES.includes(code), `the code of ${inspect(error)} is ${inspect(code)}`);
  mustBe("classify", typeof retryable === "boolean", `retryable of ${inspect(error)} is ${inspect(retryable)}`);
  mustBe("classify", typeof message === "string", `the message of ${inspect(error)} is ${inspect(message)}`);
  mustBe("classify", !message.endsWith("."), `the message of ${inspect(error)} ends with a full stop: more follows it`);
  return classification;
}

async function worksAgain(driver: AnyDriver): Promise<void> {
  await eventually("write is wrong: it works again once nothing is in its way", async () => {
    const one = change(positionKey({ topic: "again" }));
    const { error } = await outcomeOf(driver.write([one], { signal: never() }));
    if (error !== undefined) return new Error(inspect(error));
    return (await readOne(driver, one.key))?.version === one.version;
  });
}

/** The call, which must have ended by then. */
async function settled<Result>(verb: DriverVerb, call: Promise<Result>): Promise<Result> {
  if (await endsWithin(SETTLED_MS, call)) return call;
  wrong(verb, `a call hangs ${SETTLED_MS / 1_000} s after its connection broke or it was given up`);
}
