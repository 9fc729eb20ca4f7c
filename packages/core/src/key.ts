import type { MemberKey } from "./member.ts";

/**
 * Names one stored position: which consumer, of which topic, in which partition.
 *
 * `consumer` and `topic` are any strings of 1 to 255 UTF-8 bytes without unpaired surrogates (contract 3.7);
 * `partition` is an integer from 0 to 2^31 - 1.
 */
export interface OffsetKey {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
}

/** Writes a key as people read it in messages: `consumer "c1" on topic "orders" partition "0"`, or with `member "m1"`. */
export function formatKey(key: OffsetKey | MemberKey): string {
  const which = "member" in key ? `member ${JSON.stringify(key.member)}` : `partition "${key.partition}"`;
  return `consumer ${JSON.stringify(key.consumer)} on topic ${JSON.stringify(key.topic)} ${which}`;
}
