import { type ReadEntry, UnreadableRecordError } from "@tidemark/core/driver";

/** What a field of a hash holds: version, text, and `;SECONDS;MICROSECONDS` of the write by the server's clock. */
const VERSION = /^[\w-]{12}/u;
const STAMP = /;(\d{10,11});(\d{1,6})$/u;
const VERSION_LENGTH = 12;

/** Milliseconds, of a time as the scripts return it: to put the two numbers together here is cheaper than in Lua. */
export function timeOf(stamp: string): number {
  const [, seconds, microseconds] = STAMP.exec(stamp) ?? [];
  return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
}

/** Reads what a field holds. */
export function parseEntry(value: string | null | undefined, redisKey: string, field: string): ReadEntry {
  if (value === null || value === undefined) return undefined;
  const version = VERSION.exec(value)?.[0];
  const stamp = STAMP.exec(value);
  if (version === undefined || stamp === null || stamp.index < VERSION_LENGTH) {
    const what = `the field ${JSON.stringify(field)} of the Redis hash ${JSON.stringify(redisKey)}`;
    return { version, error: new UnreadableRecordError(`${what} has no version at its start or no time at its end`) };
  }
  return { version, value: value.slice(VERSION_LENGTH, stamp.index), writtenAt: timeOf(stamp[0]) };
}

/** What lies in the place of a hash: all of its fields are unreadable. */
export function foreignKey(redisKey: string): UnreadableRecordError {
  return new UnreadableRecordError(`the Redis key ${JSON.stringify(redisKey)} is not a hash`);
}
