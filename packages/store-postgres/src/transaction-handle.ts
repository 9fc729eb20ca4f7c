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
  const query = (...statement: Parameters<Lent["query"]>): Promise<unknown> =>
    hasEnded
      ? Promise.reject(new Error("the transaction has ended: await every statement of the body before it returns"))
      : Reflect.apply(lent.query, lent, statement);
  const valueOf = (name: string | symbol): unknown => {
    if (name === "query") return query;
    const value: unknown = Reflect.get(lent, name, lent);
    const isMethod = typeof value === "function" && name !== "constructor" && !Object.hasOwn(lent, name);
    // With private fields a method works on its own object only.
    return isMethod ? value.bind(lent) : value;
  };
  // Not over the client itself: one that is frozen would have to give its own `query`. The prototype is for instanceof.
  const client = new Proxy(Object.create(Object.getPrototypeOf(lent)) as PostgresClient, {
    get: (_, name) => valueOf(name),
    set: (_, name, value) => Reflect.set(lent, name, value, lent),
    has: (_, name) => Reflect.has(lent, name),
  });
  return { client, end: () => void (hasEnded = true) };
}
