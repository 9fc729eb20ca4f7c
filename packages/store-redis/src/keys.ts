import { type DriverKey, escapeName, type ListFilter, MAX_PARTITION, unescapeName } from "@tidemark/core/driver";

/** One hash: all positions of a consumer on a topic, or one member. */
export interface HashName {
  readonly redisKey: string;
  /** The index's name of a field is this, `/` and the field. */
  readonly name: string;
  /** When this process last made sure that the index names all of its fields, by `performance.now()`. */
  indexedAt: number;
}

/** What one call has to do with one hash. */
export interface HashPart<Item> {
  readonly hash: HashName;
  readonly items: Item[];
  /** Each item's place in the call. */
  readonly places: number[];
}

/** The index's names of members begin with it. No escaped name has it in it, and all that one may have sorts before it. */
const MEMBER = "~";
/** The only field of a member's hash. */
const MEMBER_FIELD = "0";
/** Follows `/` in the order of bytes. */
const AFTER_SLASH = "0";
const REMEMBERED_HASHES = 10_000;

/**
 * The names of Redis keys in one namespace. The part in braces is a Cluster's hash tag: a namespace is one slot.
 *
 * | key | type | what |
 * |---|---|---|
 * | `tidemark:{NAMESPACE}:CONSUMER/TOPIC` | hash | partition to entry |
 * | `tidemark:{NAMESPACE}:~CONSUMER/TOPIC/MEMBER` | hash | `0` to entry; a key of its own, so that Redis takes back one that died |
 * | `tidemark:{NAMESPACE}` | sorted set | the index: each key from its colon on, `/`, and the field, by name |
 */
export class RedisKeys {
  /** The index. */
  readonly index: string;
  readonly #hashes = new Map<string, HashName>();
  #consumer: string | undefined;
  #topic: string | undefined;
  #hash: HashName | undefined;

  constructor(keyPrefix: string, namespace: string) {
    this.index = `${keyPrefix}tidemark:{${escapeName(namespace)}}`;
  }

  /** The hash that keeps a key. */
  hashOf(key: DriverKey): HashName {
    const { consumer, topic } = key;
    if ("member" in key) return this.#hashNamed(`${MEMBER}${pathOf(consumer, topic)}${escapeName(key.member)}`);
    // As a rule all keys of a call, and of the next one, are of one hash.
    if (this.#hash === undefined || this.#consumer !== consumer || this.#topic !== topic) {
      const name = `${escapeName(consumer)}/${escapeName(topic)}`;
      this.#hash = this.#hashes.get(name) ?? this.#hashNamed(name);
      if (this.#hashes.size >= REMEMBERED_HASHES) this.#hashes.clear();
      this.#hashes.set(name, this.#hash);
      this.#consumer = consumer;
      this.#topic = topic;
    }
    return this.#hash;
  }

  /** Puts together what is of one hash. */
  parts<Item>(items: readonly Item[], keyOf: (item: Item) => DriverKey): HashPart<Item>[] {
    const parts = new Map<string, HashPart<Item>>();
    for (const [place, item] of items.entries()) {
      const hash = this.hashOf(keyOf(item));
      let part = parts.get(hash.redisKey);
      if (part === undefined) parts.set(hash.redisKey, (part = { hash, items: [], places: [] }));
      part.items.push(item);
      part.places.push(place);
    }
    return [...parts.values()];
  }

  /** The bounds of the index's names that a filter may match, as ZRANGEBYLEX takes them. */
  range({ kind, consumer, topic }: ListFilter): [from: string, to: string] {
    if (consumer === undefined) return kind === "position" ? ["-", `(${MEMBER}`] : [`[${MEMBER}`, "+"];
    const path = topic === undefined ? `${escapeName(consumer)}/` : pathOf(consumer, topic);
    const prefix = kind === "position" ? path : `${MEMBER}${path}`;
    return [`[${prefix}`, `(${prefix.slice(0, -1)}${AFTER_SLASH}`];
  }

  /** The index's name of a key. */
  nameOf(key: DriverKey): string {
    return `${this.hashOf(key).name}/${fieldOf(key)}`;
  }

  /** The key that the index names; `undefined` if no store wrote that. */
  parse(text: string): DriverKey | undefined {
    const isMember = text.startsWith(MEMBER);
    const [first = "", second = "", third = "", ...rest] = text.slice(isMember ? MEMBER.length : 0).split("/");
    const consumer = unescapeName(first);
    const topic = unescapeName(second);
    if (consumer === undefined || topic === undefined) return undefined;
    if (isMember) {
      const member = third === "" ? "" : unescapeName(third);
      return member === undefined || rest.join("/") !== MEMBER_FIELD ? undefined : { consumer, topic, member };
    }
    const partition = Number(third);
    const isPartition = String(partition) === third && partition >= 0 && partition <= MAX_PARTITION;
    return isPartition && Number.isInteger(partition) && rest.length === 0 ? { consumer, topic, partition } : undefined;
  }

  #hashNamed(name: string): HashName {
    return { redisKey: `${this.index}:${name}`, name, indexedAt: Number.NEGATIVE_INFINITY };
  }
}

/** The field of its hash that keeps a key. */
export function fieldOf(key: DriverKey): string {
  return "member" in key ? MEMBER_FIELD : String(key.partition);
}

function pathOf(consumer: string, topic: string): string {
  return `${escapeName(consumer)}/${escapeName(topic)}/`;
}
