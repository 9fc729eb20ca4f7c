import type { PostgresClient } from "./postgres-client.ts";

/** What a transaction's user gets of its client. */
export interface TransactionHandle {
  /** The client in every respect, until the end. */
  readonly client: PostgresClient;
  /** From now on its `query` rejects: the pool may lend the client for another transaction, and nothing gets into that. */
  end(): void;
}

/** Makes a handle for one transaction on a client that a pool has lent. */
export function transactionHandle<Lent extends PostgresClient>(lent: Lent): TransactionHandle {
  let hasEnded = false;
  // As it is now: what the user wraps around the handle's must not be called by it.
  const lentQuery: unknown = Reflect.get(lent, "query", lent);
  let query: unknown = (...statement: unknown[]): unknown =>
    hasEnded ? refuse(statement.at(-1)) : Reflect.apply(lentQuery as (...all: unknown[]) => unknown, lent, statement);
  const valueOf = (name: string | symbol): unknown => {
    if (name === "query") return query;
    const value: unknown = Reflect.get(lent, name, lent);
    const isMethod = typeof value === "function" && name !== "constructor" && !Object.hasOwn(lent, name);
    // With private fields a method works on its own object only.
    return isMethod ? value.bind(lent) : value;
  };
  // Not over the client itself: one that is frozen would have to give its own `query`. The prototype is for instanceof.
  const prototype: unknown = Object.getPrototypeOf(lent);
  const isCallable = typeof lent === "function";
  const target: object = isCallable
    ? Object.setPrototypeOf(() => undefined, prototype as object)
    : Object.create(prototype as object);
  const client = new Proxy(target as PostgresClient, {
    get: (_, name) => valueOf(name),
    set(_, name, value) {
      if (name !== "query") return Reflect.set(lent, name, value, lent);
      // The pool lends its client again, without what this transaction's user has made of `query`.
      query = value;
      return true;
    },
    has: (_, name) => Reflect.has(lent, name),
    // As postgres.js has it: sql`SELECT 1`.
    apply: (_, self, statement: unknown[]) =>
      // What it makes for a statement is none: nobody awaits it.
      hasEnded && isTemplate(statement[0])
        ? refuseStatement()
        : Reflect.apply(lent as unknown as (...all: unknown[]) => unknown, self, statement),
  });
  return { client, end: () => void (hasEnded = true) };
}

/** What a statement comes to after the end: its callback gets the error where it has one, as with pg. */
function refuse(callback?: unknown): Promise<never> | undefined {
  const error = new Error("the transaction has ended: await every statement of the body before it returns");
  if (typeof callback !== "function") return Promise.reject(error);
  queueMicrotask(() => void callback(error));
  return undefined;
}

/** A fragment of another statement is awaited by nobody. */
function refuseStatement(): Promise<never> | undefined {
  const refused = refuse();
  refused?.catch(() => undefined);
  return refused;
}

function isTemplate(first: unknown): boolean {
  return Array.isArray(first) && "raw" in first;
}
