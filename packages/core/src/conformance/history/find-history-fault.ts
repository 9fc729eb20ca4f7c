import { inspect } from "node:util";

import type { OffsetKey } from "../../key.ts";
import { type KeyedOperation, keyHistories, keyModel } from "./key-history.ts";
import { linearize } from "./linearize.ts";
import type { RecordedCall } from "./recorded-call.ts";

/** A key whose answers no order explains. */
export interface HistoryFault {
  readonly key: OffsetKey;
  /** How many operations are left of the key's history: up to the first answer that cannot be, without what says nothing. */
  readonly operations: number;
  /** Those operations, a line each, in the order in which they were called. */
  readonly message: string;
}

/**
 * Checks that concurrent calls come to the same as some order of them one by one that keeps to real time (contract 3.1a):
 * whether for every key an order of what was called on it gives the answers that were given. Calls that failed may have been
 * carried out, at any time after they were made, or never. Calls must not let anything expire.
 *
 * @returns the first key for which there is no such order, or `undefined` if all is well.
 * @throws `RangeError` if too much happened at once to be decided.
 */
export function findHistoryFault(calls: readonly RecordedCall[]): HistoryFault | undefined {
  for (const history of keyHistories(calls).values()) {
    const [first] = history;
    if (first === undefined || linearize(history, keyModel).linearizable) continue;
    const fault = withoutWhatSaysNothing(upToTheFault(history));
    return { key: first.key, operations: fault.length, message: describe(first.key, fault) };
  }
  return undefined;
}

/** The history as it was when the answer came that no order explains: what was under way then has no answer yet. */
function upToTheFault(history: readonly KeyedOperation[]): KeyedOperation[] {
  const times = history.flatMap(({ answeredAt }) => answeredAt ?? []).toSorted((left, right) => Number(left - right));
  const until = (time: bigint): KeyedOperation[] =>
    history
      .filter(({ calledAt }) => calledAt <= time)
      .flatMap((operation) => {
        const { answeredAt, answer: _, toldEpoch: __, shownEpoch: ___, ...unanswered } = operation;
        if (answeredAt === undefined || answeredAt <= time) return operation;
        return operation.operation.verb === "fetch" ? [] : { ...unanswered, readOnly: false };
      });
  // A history that no order explains is not explained by a longer search.
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (linearize(until(times[middle] ?? 0n), keyModel).linearizable) low = middle + 1;
    else high = middle;
  }
  return until(times[low] ?? 0n);
}

/** What wrote nothing can be left out of any history that is in order: if one without it is not, neither is the whole. */
function withoutWhatSaysNothing(history: readonly KeyedOperation[]): KeyedOperation[] {
  let kept = [...history];
  for (const operation of history) {
    if (!operation.readOnly) continue;
    const fewer = kept.filter((one) => one !== operation);
    if (!linearize(fewer, keyModel).linearizable) kept = fewer;
  }
  return kept;
}

function describe(key: OffsetKey, history: readonly KeyedOperation[]): string {
  const inOrder = history.toSorted((left, right) => Number(left.calledAt - right.calledAt));
  const start = inOrder[0]?.calledAt ?? 0n;
  const microseconds = (time: bigint): string => `${((Number(time - start) / 1_000) | 0).toLocaleString("en")} us`;
  const lines = inOrder.map(({ client, operation, calledAt, answeredAt, answer }, index) => {
    const until = answeredAt === undefined ? "?" : microseconds(answeredAt);
    const when = `${index + 1}. ${microseconds(calledAt)} to ${until}`;
    return `${when}, ${client}: ${operation.verb} ${what(operation)} -> ${answer ?? "no answer"}`;
  });
  const { order } = linearize(inOrder, keyModel);
  const tried = order.map((operation) => inOrder.indexOf(operation) + 1).join(", ");
  return (
    `no order of these ${history.length} operations on ${JSON.stringify(key)} gives the answers that were given\n  ` +
    `${lines.join("\n  ")}\nthe longest order that does: ${tried === "" ? "none" : tried}`
  );
}

function what(operation: KeyedOperation["operation"]): string {
  if (!("entry" in operation)) return "";
  const { key: _, ...rest } = operation.entry;
  const present = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return inspect(present, { breakLength: Infinity });
}
