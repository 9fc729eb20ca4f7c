/** An operation on one object, from its call to its answer, by one clock. */
export interface Interval {
  readonly calledAt: bigint;
  /** Absent: it is not known whether it happened. It may have, at any time after the call, or never. */
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
 * led to, so that no such pair is searched twice. Depth first. Operations without an answer need not come at all: they are
 * tried where those with one do not continue, and never where fewer of them lead to the same.
 *
 * @throws `RangeError` if a history is too large to be decided.
 */
export function linearize<State, Operation extends Interval>(
  operations: readonly Operation[],
  model: SequentialModel<State, Operation>,
): Linearization<Operation> {
  const { head, returnOf } = eventsOf(operations);
  const unknown = setOf(operations, ({ answeredAt }) => answeredAt === undefined);
  let unexplained = setOf(operations, ({ answeredAt }) => answeredAt !== undefined);
  let state = model.initial;
  let carriedOut = 0n;
  const tried = new TriedStates();
  tried.isNew(unexplained, carriedOut, model.identity(state));
  const path: { readonly call: Event; readonly state: State }[] = [];
  let longest: readonly number[] = [];
  let event = head.next;
  let isAnswered = true;
  while (unexplained > 0n) {
    // The answers that are not explained yet are all in the list: it never ends before one of them.
    if (event === undefined) throw new Error("an answer is missing from the list of events");
    const bit = 1n << BigInt(event.operation);
    if (event.isCall) {
      const operation = operations[event.operation] as Operation;
      const isNext = isAnswered === ((unknown & bit) === 0n) && !isSameAsOneBefore(operations, carriedOut, event);
      const step = isNext ? model.step(state, operation) : undefined;
      const [left, more] = isAnswered ? [unexplained ^ bit, carriedOut] : [unexplained, carriedOut | bit];
      if (step !== undefined && tried.isNew(left, more, model.identity(step.next))) {
        path.push({ call: event, state });
        state = step.next;
        [unexplained, carriedOut] = [left, more];
        remove(event, returnOf);
        if (path.length > longest.length) longest = path.map(({ call }) => call.operation);
        event = head.next;
        isAnswered = true;
      } else event = event.next;
      continue;
    }
    // Here an operation is answered that no order so far has. One without an answer may have come before it.
    if (isAnswered) {
      event = head.next;
      isAnswered = false;
      continue;
    }
    // None did: the last choice was wrong.
    const last = path.pop();
    if (last === undefined)
      return { linearizable: false, order: longest.map((index) => operations[index] as Operation) };
    ({ state } = last);
    putBack(last.call, returnOf);
    const taken = 1n << BigInt(last.call.operation);
    isAnswered = (unknown & taken) === 0n;
    if (isAnswered) unexplained |= taken;
    else carriedOut ^= taken;
    event = last.call.next;
  }
  return { linearizable: true, order: path.map(({ call }) => operations[call.operation] as Operation) };
}

/** A set of operations: a bit for each. */
function setOf<Operation>(operations: readonly Operation[], belongs: (operation: Operation) => boolean): bigint {
  return operations.reduce((set, operation, index) => (belongs(operation) ? set | (1n << BigInt(index)) : set), 0n);
}

/** The attempts of one call are the same operation several times: they are tried in turn, as any order of them is as good. */
function isSameAsOneBefore<Operation>(operations: readonly Operation[], done: bigint, { operation }: Event): boolean {
  const isSame = operation > 0 && operations[operation] === operations[operation - 1];
  return isSame && (done & (1n << BigInt(operation - 1))) === 0n;
}

/** What was tried: which answers were left to explain, in which state, and what else had been carried out to come there. */
class TriedStates {
  readonly #carriedOut = new Map<string, bigint[]>();
  #size = 0;

  /** Whether nothing tried is as good: the same is left in the same state, and no other operation without an answer is used up. */
  isNew(unexplained: bigint, carriedOut: bigint, state: string): boolean {
    const place = `${unexplained.toString(36)} ${state}`;
    const before = this.#carriedOut.get(place);
    if (before?.some((fewer) => (fewer & carriedOut) === fewer)) return false;
    if (this.#size >= MAX_STATES)
      throw new RangeError("the history is too large: fewer operations on each key, please");
    this.#size += 1;
    if (before === undefined) this.#carriedOut.set(place, [carriedOut]);
    else before.push(carriedOut);
    return true;
  }
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
