import type { OffsetKey } from "../../key.ts";
import type { OffsetRecord } from "../../offset-record.ts";
import { identity, type KeyAnswer, type KeyOperation, type KeyState, stepOfKey } from "../store/model/key-model.ts";
import { timeless } from "../store/model/observed.ts";
import { matches } from "../store/model/store-model.ts";
import type { Interval, SequentialModel } from "./linearize.ts";
import type { RecordedCall } from "./recorded-call.ts";

/** What one call did to one key, and what was said about it. */
export interface KeyedOperation extends Interval {
  readonly key: OffsetKey;
  readonly client: string;
  readonly operation: KeyOperation;
  /** As text, without times; absent if nothing was answered. */
  readonly answer?: string;
  /** Whether the answer says that nothing was written. */
  readonly readOnly: boolean;
}

/** An answer of either side. */
interface Answered {
  readonly status: string;
  readonly record?: OffsetRecord | undefined;
}

/** The model of one key, for histories in which nothing expires. */
export const keyModel: SequentialModel<KeyState | undefined, KeyedOperation> = {
  initial: undefined,
  step: (state, { operation, answer }) => {
    // Of a time only that it is there is compared: all moments have one stamp.
    const step = stepOfKey(state, operation, 0);
    return answer === undefined || answer === textOf(step.answer) ? { next: step.state } : undefined;
  },
  identity: (state) => (state === undefined ? "" : text(state)),
};

/** Splits calls into what they did to each key: a history is linearizable if those of its keys are. */
export function keyHistories(calls: readonly RecordedCall[]): Map<string, KeyedOperation[]> {
  const keys = new Map(calls.flatMap(keysIn).map((key) => [identity(key), key]));
  const histories = new Map<string, KeyedOperation[]>([...keys.keys()].map((name) => [name, []]));
  for (const call of calls) {
    for (const { key, operation, answer } of operationsOf(call, [...keys.values()])) {
      const history = histories.get(identity(key)) ?? [];
      const { client, calledAt, answeredAt, repeats } = call;
      const known = answer !== undefined && answer.status !== "failed";
      const unknown: KeyedOperation = { key, client, operation, calledAt, readOnly: false };
      if (known) {
        const readOnly = operation.verb === "fetch" || READ_ONLY.has(answer.status);
        history.push({ ...unknown, answeredAt, answer: textOf(answer), readOnly });
      }
      // What only reads and was not answered says nothing.
      if (operation.verb === "fetch") continue;
      for (let attempt = known ? 1 : 0; attempt <= repeats; attempt += 1) history.push(unknown);
    }
  }
  return histories;
}

const READ_ONLY: ReadonlySet<string> = new Set(["fenced", "behind", "absent", "found"]);

interface Part {
  readonly key: OffsetKey;
  readonly operation: KeyOperation;
  readonly answer: Answered | undefined;
}

function operationsOf(call: RecordedCall, keys: readonly OffsetKey[]): Part[] {
  switch (call.verb) {
    case "claim":
    case "commit":
    case "reset":
    case "expire":
      return call.entries.map((entry, index) => ({
        key: entry.key,
        operation: { verb: call.verb, entry } as KeyOperation,
        answer: call.answer?.[index],
      }));
    case "fetch":
      return call.keys.map((key, index) => ({ key, operation: { verb: "fetch" }, answer: call.answer?.[index] }));
    case "list": {
      const { answer, filter } = call;
      const listed = new Map(answer?.map((record) => [identity(record), record]));
      return keys
        .filter((key) => matches(key, filter))
        .map((key) => {
          const record = listed.get(identity(key));
          const found = record === undefined ? { status: "absent" } : { status: "found", record };
          return { key, operation: { verb: "fetch" }, answer: answer && found };
        });
    }
    case "delete": {
      const { answer, selector } = call;
      const removed = new Set(answer?.map(identity));
      // Nothing expires here: what a sweep removes it should have left, and no order explains that.
      const said = "expired" in selector ? "swept" : "removed";
      const asked = "keys" in selector ? selector.keys : keys.filter((key) => matches(key, selectorFilter(selector)));
      const touched = "expired" in selector ? keys.filter((key) => removed.has(identity(key))) : asked;
      return touched.map((key) => ({
        key,
        operation: { verb: "delete" },
        answer: answer && { status: removed.has(identity(key)) ? said : "absent" },
      }));
    }
  }
}

function selectorFilter(selector: object): Partial<OffsetKey> {
  return selector;
}

function keysIn(call: RecordedCall): readonly OffsetKey[] {
  switch (call.verb) {
    case "fetch":
      return call.keys;
    case "list":
      return call.answer?.map(({ consumer, topic, partition }) => ({ consumer, topic, partition })) ?? [];
    case "delete":
      return [...("keys" in call.selector ? call.selector.keys : []), ...(call.answer ?? [])];
    default:
      return call.entries.map(({ key }) => key);
  }
}

function textOf(answer: Answered | KeyAnswer): string {
  return text(timeless(answer));
}

/** The same text for the same fields, whatever their order. */
function text(value: object): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "bigint") return `${part}n`;
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([left], [right]) => (left < right ? -1 : 1)));
  });
}
