/** What an expiry queue orders: anything that says when it ends. */
export interface Expiring {
  readonly stored: { readonly ttl: number | undefined; readonly expiresAt: number | undefined };
}

/**
 * Finds what has expired without looking at what has not.
 *
 * One queue per time to live: a renewal goes to the end of its queue, so each queue is in order of expiry and looking at
 * its head is enough. Adding, renewing and removing cost the same however many records there are.
 */
export class ExpiryQueues<Item extends Expiring> {
  readonly #queues = new Map<number, Set<Item>>();
  readonly #queueOf = new Map<Item, number>();
  #turn: Iterator<Set<Item>> | undefined;

  /** Puts an item where its expiry belongs; call it after every change of one. */
  renew(item: Item): void {
    this.remove(item);
    const { ttl, expiresAt } = item.stored;
    if (ttl === undefined || expiresAt === undefined) return;
    let queue = this.#queues.get(ttl);
    if (queue === undefined) {
      queue = new Set();
      this.#queues.set(ttl, queue);
    }
    queue.add(item);
    this.#queueOf.set(item, ttl);
  }

  /** Forgets an item. */
  remove(item: Item): void {
    const ttl = this.#queueOf.get(item);
    if (ttl === undefined) return;
    this.#queueOf.delete(item);
    const queue = this.#queues.get(ttl);
    if (queue?.delete(item) === true && queue.size === 0) this.#queues.delete(ttl);
  }

  /** Up to `limit` expired items, looking at no more than twice as many; the queues take turns. */
  due(now: number, limit: number): Item[] {
    const found: Item[] = [];
    const queues = Math.min(limit, this.#queues.size);
    for (let looked = 0; looked < queues && found.length < limit; looked += 1) {
      let next = this.#turn?.next();
      if (next === undefined || next.done === true) {
        this.#turn = this.#queues.values();
        next = this.#turn.next();
        if (next.done === true) break;
      }
      for (const item of next.value) {
        if (found.length >= limit || !isDue(item, now)) break;
        found.push(item);
      }
    }
    return found;
  }

  /** Every expired item. Looks at all: a clock that was set back leaves queues out of order. */
  *allDue(now: number): Generator<Item, void, undefined> {
    for (const item of this.#queueOf.keys()) if (isDue(item, now)) yield item;
  }
}

function isDue(item: Expiring, now: number): boolean {
  return item.stored.expiresAt !== undefined && item.stored.expiresAt <= now;
}
