/** An operation on one object, from its call to its answer, by one clock. */
export interface Interval {
  readonly calledAt: bigint;
  /** Absent: nobody knows whether it happened. It may have, at any time after the call, or never. */
  readonly answeredAt?: bigint | undefined;
}

/** An object as it would be if operations came one at a time. */
export interface SequentialModel<State, Operation extends Interval> {
  readonly initial: State;
  /**
   * The state after the operation, or `undefined` if the answer that it got is not the one it gets in this state. One
   * without an answer is always possible.
   */
  step(state: State, operation: Operation): { readonly next: State } | undefined;
  /** The state as text: equal states, equal text. */
  identity(state: State): string;
}

/** Whether some order explains a history. */
export interface Linearization<Operation> {
  readonly linearizable: boolean;
  /** The order found, or the longest one that was tried, for people to look at. */
  readonly order: readonly Operation[];
}

/** Some seconds of search. A longer one has too many operations at once, or too many without an answer, and would take hours. */
const MAX_STATES = 200_000;

interface Event {
  readonly operation: number;
  readonly isCall: boolean;
  previous: Event | undefined;
  next: Event | undefined;
}

/**
 * Looks for an order of the operations that keeps to real time (what was answered before another was called comes before
 * it) and gives each its answer: Wing and Gong's search, with Lowe's memory of the sets of operations and the state that they
 * led to, so that no such pair is searched twice. Depth first; operations without an answer are tried only where they
 * change the state, and need not come at all.
 *
 * @throws `RangeError` if a history is too large to be decided.
 */
export function linearize<State, Operation extends Interval>(
  operations: readonly Operation[],
  model: SequentialModel<State, Operation>,
): Linearization<Operation> {
  const { head, returnOf } = eventsOf(operations);
  let unexplained = operations.filter(({ answeredAt }) => answeredAt !== undefined).length;
  let state = model.initial;
  let done = 0n;
  const seen = new Set<string>();
  const path: { readonly call: Event; readonly state: State; readonly done: bigint }[] = [];
  let longest: readonly number[] = [];
  let event = head.next;
  while (unexplained > 0) {
    // The answers that are not explained yet are all in the list: it never ends before one of them.
    if (event === undefined) throw new Error("an answer is missing from the list of events");
    if (event.isCall) {
      const operation = operations[event.operation] as Operation;
      const step = model.step(state, operation);
      const withIt = done | (1n << BigInt(event.operation));
      const pointless = operation.answeredAt === undefined && step && same(model, step.next, state);
      if (
        step !== undefined &&
        pointless !== true &&
        isNew(seen, `${withIt.toString(36)} ${model.identity(step.next)}`)
      ) {
        path.push({ call: event, state, done });
        state = step.next;
        done = withIt;
        remove(event, returnOf);
        if (operation.answeredAt !== undefined) unexplained -= 1;
        if (path.length > longest.length) longest = path.map(({ call }) => call.operation);
        event = head.next;
      } else event = event.next;
      continue;
    }
    // Here an operation is answered that no order so far has: the last choice was wrong.
    const last = path.pop();
    if (last === undefined)
      return { linearizable: false, order: longest.map((index) => operations[index] as Operation) };
    ({ state, done } = last);
    putBack(last.call, returnOf);
    if (operations[last.call.operation]?.answeredAt !== undefined) unexplained += 1;
    event = last.call.next;
  }
  return { linearizable: true, order: path.map(({ call }) => operations[call.operation] as Operation) };
}

function same<State>(model: SequentialModel<State, never>, left: State, right: State): boolean {
  return left === right || model.identity(left) === model.identity(right);
}

function isNew(seen: Set<string>, pair: string): boolean {
  if (seen.has(pair)) return false;
  if (seen.size >= MAX_STATES) throw new RangeError("the history is too large: fewer operations on each key, please");
  seen.add(pair);
  return true;
}

/** Calls and answers in one list by time. Of the same moment calls come first: what might overlap does. */
function eventsOf(operations: readonly Interval[]): { readonly head: Event; readonly returnOf: (Event | undefined)[] } {
  const timed = operations.flatMap(({ calledAt, answeredAt }, operation) => [
    { at: calledAt, operation, isCall: true },
    ...(answeredAt === undefined ? [] : [{ at: answeredAt, operation, isCall: false }]),
  ]);
  timed.sort((left, right) =>
    left.at === right.at ? Number(right.isCall) - Number(left.isCall) : left.at < right.at ? -1 : 1,
  );
  const head: Event = { operation: -1, isCall: false, previous: undefined, next: undefined };
  const returnOf: (Event | undefined)[] = [];
  let last = head;
  for (const { operation, isCall } of timed) {
    const event: Event = { operation, isCall, previous: last, next: undefined };
    if (!isCall) returnOf[operation] = event;
    last.next = event;
    last = event;
  }
  return { head, returnOf };
}

function remove(call: Event, returnOf: readonly (Event | undefined)[]): void {
  for (const event of [call, returnOf[call.operation]]) {
    if (event?.previous !== undefined) event.previous.next = event.next;
    if (event?.next !== undefined) event.next.previous = event.previous;
  }
}

/** The other way round, in the other order: each event still knows its place. */
function putBack(call: Event, returnOf: readonly (Event | undefined)[]): void {
  for (const event of [returnOf[call.operation], call]) {
    if (event?.previous !== undefined) event.previous.next = event;
    if (event?.next !== undefined) event.next.previous = event;
  }
}
