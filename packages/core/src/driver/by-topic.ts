import type { DriverKey } from "./driver.ts";

/** Everything that one call has of one consumer on one topic, with each item's place in the call. */
export interface TopicGroup<Item> {
  readonly consumer: string;
  readonly topic: string;
  readonly items: Item[];
  readonly places: number[];
}

/** Puts together what is of one consumer and topic, for backends that keep it in one place. As a rule that is everything. */
export function byTopic<Item>(items: readonly Item[], keyOf: (item: Item) => DriverKey): TopicGroup<Item>[] {
  const groups: TopicGroup<Item>[] = [];
  let byName: Map<string, TopicGroup<Item>> | undefined;
  let last: TopicGroup<Item> | undefined;
  for (const [place, item] of items.entries()) {
    const { consumer, topic } = keyOf(item);
    if (last === undefined || last.consumer !== consumer || last.topic !== topic) {
      byName ??= new Map();
      // A name's length before it: no two pairs of names run into one.
      const identity = `${consumer.length}/${consumer}${topic}`;
      last = byName.get(identity);
      if (last === undefined) {
        last = { consumer, topic, items: [], places: [] };
        byName.set(identity, last);
        groups.push(last);
      }
    }
    last.items.push(item);
    last.places.push(place);
  }
  return groups;
}
