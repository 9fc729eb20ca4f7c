import { type DriverKey, escapeName, type ListFilter, MAX_PARTITION, unescapeName } from "@tidemark/core/driver";

/** What a member's name begins with in an id. A partition is a number: the two never meet. */
const MEMBER = "member:";

/**
 * The `_id`s of one namespace: `namespace/consumer/topic/partition` for a position, `namespace/consumer/topic/member:NAME` for
 * a member. Strings and not embedded documents, because engines of this protocol compare those in different ways.
 */
export class EntryIds {
  readonly #namespace: string;

  constructor(namespace: string) {
    this.#namespace = escapeName(namespace);
  }

  of(key: DriverKey): string {
    const path = `${this.#namespace}/${escapeName(key.consumer)}/${escapeName(key.topic)}`;
    return "partition" in key ? `${path}/${key.partition}` : `${path}/${MEMBER}${escapeName(key.member)}`;
  }

  /** The key that an `_id` stands for; `undefined` if it is none of this namespace's. */
  keyOf(id: unknown): DriverKey | undefined {
    if (typeof id !== "string") return undefined;
    const [namespace, first = "", second = "", last = "", ...more] = id.split("/");
    const [consumer, topic] = [unescapeName(first), unescapeName(second)];
    if (namespace !== this.#namespace || more.length > 0 || consumer === undefined || topic === undefined) {
      return undefined;
    }
    if (last === MEMBER) return { consumer, topic, member: "" };
    if (last.startsWith(MEMBER)) {
      const member = unescapeName(last.slice(MEMBER.length));
      return member === undefined ? undefined : { consumer, topic, member };
    }
    const partition = Number(last);
    return /^(?:0|[1-9]\d*)$/u.test(last) && partition <= MAX_PARTITION ? { consumer, topic, partition } : undefined;
  }

  /** The condition on `_id` that every entry of a listing meets, as narrow as ids allow. */
  matching({ kind, consumer, topic, partition }: ListFilter): { $gt: string; $lt: string; $regex: string } {
    let path = this.#namespace;
    if (consumer !== undefined) path += `/${escapeName(consumer)}`;
    if (consumer !== undefined && topic !== undefined) path += `/${escapeName(topic)}`;
    const last = kind === "member" ? `${MEMBER}[^/]*` : (partition ?? "[0-9]+");
    // "0" is the character after "/".
    return { $gt: `${path}/`, $lt: `${path}0`, $regex: `/${last}$` };
  }
}
