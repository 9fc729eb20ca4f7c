import type { OffsetFilter, OffsetKey } from "@tidemark/core";

/** All partitions of one consumer on one topic: they lie in one hash, and change in one step of the server. */
export interface RecordGroup {
  readonly consumer: string;
  readonly topic: string;
}

/**
 * The names of Redis keys in one namespace. The part in braces is a Cluster's hash tag.
 *
 * | key | type | what |
 * |---|---|---|
 * | `tidemark:{NAMESPACE/CONSUMER/TOPIC}` | hash | partition to record |
 * | `tidemark:{NAMESPACE}` | sorted set | which groups there may be, by name |
 * | `tidemark:{NAMESPACE}:claimed` | hash | when each of them was last claimed |
 */
export class RedisKeys {
  /** The index: the names, and the times of their last claims. */
  readonly index: readonly [names: string, claimed: string];
  readonly #prefix: string;

  constructor(keyPrefix: string, namespace: string) {
    this.#prefix = `${keyPrefix}tidemark:{${encodeName(namespace)}`;
    this.index = [`${this.#prefix}}`, `${this.#prefix}}:claimed`];
  }

  /** The hash of a group. */
  group({ consumer, topic }: RecordGroup): string {
    return `${this.#prefix}/${encodeName(consumer)}/${encodeName(topic)}}`;
  }

  /** The index's name of a group. */
  member({ consumer, topic }: RecordGroup): string {
    return `${encodeName(consumer)}/${encodeName(topic)}`;
  }

  /** What all of a consumer's names in the index begin with. */
  memberPrefix(consumer: string): string {
    return `${encodeName(consumer)}/`;
  }

  /** The group that the index names; `undefined` if no store wrote that. */
  parseMember(member: string): RecordGroup | undefined {
    const [consumer, topic, ...more] = member.split("/");
    if (!consumer || !topic || more.length > 0) return undefined;
    try {
      const group = { consumer: decodeURIComponent(consumer), topic: decodeURIComponent(topic) };
      return this.member(group) === member ? group : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Whether a filter can match anything in a group. */
export function groupMatches(filter: OffsetFilter, { consumer, topic }: RecordGroup): boolean {
  return (
    (filter.consumer === undefined || filter.consumer === consumer) &&
    (filter.topic === undefined || filter.topic === topic)
  );
}

/** Puts entries of one group together, each with its place in the call. */
export function byGroup<Entry>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => OffsetKey,
): { readonly group: RecordGroup; readonly entries: Entry[]; readonly places: number[] }[] {
  const groups = new Map<string, { group: RecordGroup; entries: Entry[]; places: number[] }>();
  let found: { group: RecordGroup; entries: Entry[]; places: number[] } | undefined;
  entries.forEach((entry, place) => {
    const { consumer, topic } = keyOf(entry);
    // As a rule all entries are of one group.
    if (found?.group.consumer !== consumer || found.group.topic !== topic) {
      // A name's length before it: no two pairs of names run into one.
      const identity = `${consumer.length}/${consumer}${topic}`;
      found = groups.get(identity);
      if (found === undefined) groups.set(identity, (found = { group: { consumer, topic }, entries: [], places: [] }));
    }
    found.entries.push(entry);
    found.places.push(place);
  });
  return [...groups.values()];
}

/** How many names are remembered with their escapes: those of the consumers and topics of one process, as a rule. */
const REMEMBERED_NAMES = 256;
const encodedNames = new Map<string, string>();

/** Escapes a name. To escape one takes longer than all else that a commit does with it. */
function encodeName(name: string): string {
  const known = encodedNames.get(name);
  if (known !== undefined) return known;
  const encoded = escapeName(name);
  if (encodedNames.size >= REMEMBERED_NAMES) encodedNames.clear();
  encodedNames.set(name, encoded);
  return encoded;
}

/** Percent escapes for what has a meaning in our keys or cannot be seen; every other name stays as it is. */
function escapeName(name: string): string {
  return name.replaceAll(/[%{}/:\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}
