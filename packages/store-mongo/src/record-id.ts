import type { OffsetFilter, OffsetKey } from "@tidemark/core";
import { MAX_PARTITION } from "@tidemark/core/driver";

/** What cannot stand in a part of an id as it is: the separator, the escape itself, and what no terminal shows. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const ESCAPED = /[%/\u0000-\u001f\u007f]/gu;

/**
 * Gives the `_id` of a key's document: `namespace/consumer/topic/partition`, plain names as they are. A string and not an
 * embedded document, because engines of this protocol compare those in different ways.
 */
export function recordId(namespace: string, key: OffsetKey): string {
  return `${escape(namespace)}/${escape(key.consumer)}/${escape(key.topic)}/${key.partition}`;
}

/** The key that an `_id` stands for; `undefined` if it is none of this namespace's. */
export function keyOfRecordId(namespace: string, id: unknown): OffsetKey | undefined {
  if (typeof id !== "string") return undefined;
  const parts = id.split("/");
  const [prefix, consumer, topic, partition] = parts;
  if (parts.length !== 4 || consumer === undefined || topic === undefined || partition === undefined) return undefined;
  if (prefix !== escape(namespace) || !/^(?:0|[1-9]\d*)$/u.test(partition)) return undefined;
  try {
    const key = {
      consumer: decodeURIComponent(consumer),
      topic: decodeURIComponent(topic),
      partition: Number(partition),
    };
    if (key.consumer === "" || key.topic === "" || key.partition > MAX_PARTITION) return undefined;
    // What would not be written this way is not ours.
    return recordId(namespace, key) === id ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The range of ids that holds every record that matches a filter, and others: as narrow as a prefix can tell. */
export function recordIdRange(namespace: string, filter: OffsetFilter): { readonly $gt: string; readonly $lt: string } {
  const prefix = [namespace];
  if (filter.consumer !== undefined) prefix.push(filter.consumer);
  if (filter.consumer !== undefined && filter.topic !== undefined) prefix.push(filter.topic);
  const path = prefix.map(escape).join("/");
  // "0" is the character after "/".
  return { $gt: `${path}/`, $lt: `${path}0` };
}

function escape(part: string): string {
  return part.replace(
    ESCAPED,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
