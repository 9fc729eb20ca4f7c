import type { OffsetKey } from "../../key.ts";
import { identity, type KeyOperation, type KeyState, stepOfKey } from "../store/model/key-model.ts";
import { type Observed, timeless } from "../store/model/observed.ts";
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
  /** The claim's epoch in the answer. */
  readonly toldEpoch?: number | undefined;
  /** The epoch of the record that the answer shows. */
  readonly shownEpoch?: number | undefined;
  /** Whether the answer says that nothing was written. */
  readonly readOnly: boolean;
}

/** What a history leaves of a key. */
export interface KeyInHistory {
  readonly stored: KeyState | undefined;
  /** What the epoch is larger than. It may be unknown too: it is in no answer yet, where the one that made it got lost. */
  readonly epochBefore: number;
}

const UNKNOWN_EPOCH = -1;

/** The model of one key, for histories in which nothing expires. */
export const keyModel: SequentialModel<KeyInHistory, KeyedOperation> = {
  initial: { stored: undefined, epochBefore: 0 },
  step: (before, { operation, answer, toldEpoch, shownEpoch }) => {
    const isRepeated = operation.verb === "commit" && operation.entry.epoch !== undefined;
    const known = withEpoch(before, shownEpoch ?? (isRepeated ? toldEpoch : undefined));
    if (known === undefined) return undefined;
    const { stored } = known;
    // Of a time only that it is there is compared: all moments have one stamp.
    const step = stepOfKey(stored, operation, { stamp: 0, epoch: toldEpoch ?? UNKNOWN_EPOCH });
    if (answer !== undefined && answer !== textOf(step.answer)) return undefined;
    if (step.state === undefined) return { next: keyModel.initial };
    if (step.state.epoch === stored?.epoch) return { next: { ...known, stored: step.state } };
    return begun(known, step.state);
  },
  identity: ({ stored, epochBefore }) => {
    if (stored === undefined) return "";
    // A known epoch is larger than the one before it already.
    return text(stored.epoch === UNKNOWN_EPOCH ? { ...stored, epochBefore } : stored);
  },
};

/** The same where an answer has the epoch that was in no answer before; `undefined` if it cannot be that. */
function withEpoch(before: KeyInHistory, epoch: number | undefined): KeyInHistory | undefined {
  const { stored, epochBefore } = before;
  if (epoch === undefined || stored?.epoch !== UNKNOWN_EPOCH) return before;
  return epoch > epochBefore ? { stored: { ...stored, epoch }, epochBefore } : undefined;
}

/** A new epoch is larger than the one before it (contract 3.2e). */
function begun({ stored, epochBefore }: KeyInHistory, state: KeyState): { readonly next: KeyInHistory } | undefined {
  const least = stored === undefined ? 0 : Math.max(stored.epoch, epochBefore);
  if (stored !== undefined && state.epoch !== UNKNOWN_EPOCH && state.epoch <= least) return undefined;
  return { next: { stored: state, epochBefore: least } };
}

/** Splits calls into what they did to each key: a history is linearizable if those of its keys are. */
export function keyHistories(calls: readonly RecordedCall[]): Map<string, KeyedOperation[]> {
  const keys = new Map(calls.flatMap(keysIn).map((key) => [identity(key), key]));
  const histories = new Map<string, KeyedOperation[]>([...keys.keys()].map((name) => [name, []]));
  for (const call of calls) {
    for (const { key, operation, answer } of operationsOf(call, [...keys.values()])) {
      const history = histories.get(identity(key)) ?? [];
      const { client, calledAt, answeredAt, repeats } = call;
      // A repeated delete that finds nothing returns the key: it is not known whether it or another call removed it.
      const isGuess = operation.verb === "delete" && repeats > 0 && answer?.status === "removed";
      const known = answer !== undefined && answer.status !== "failed" && !isGuess;
      const unknown: KeyedOperation = { key, client, operation, calledAt, readOnly: false };
      if (known) {
        const readOnly = operation.verb === "fetch" || READ_ONLY.has(answer.status);
        const { epoch: toldEpoch, record } = answer;
        history.push({
          ...{ ...unknown, answeredAt, answer: textOf(answer), readOnly },
          ...{ toldEpoch, shownEpoch: record?.epoch },
        });
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
  readonly answer: Observed | undefined;
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

function textOf(answer: Parameters<typeof timeless>[0]): string {
  return text(timeless(answer));
}

/** The same text for the same fields, in any order. */
function text(value: object): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "bigint") return `${part}n`;
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([left], [right]) => (left < right ? -1 : 1)));
  });
}
