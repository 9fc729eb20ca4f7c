import { script } from "./script.ts";

const CLOCK = `
local clock = redis.call('TIME')
local now = clock[1] .. string.format('%03d', math.floor(clock[2] / 1000))
`;

/** Reads the fields of ARGV: {the server's time, the values}. */
export const FETCH = script(CLOCK, `return { now, redis.call('HMGET', KEYS[1], unpack(ARGV)) }`);

/**
 * Reads a part of a group. ARGV: cursor (empty: the first part), about how many fields. Answers {time, next cursor,
 * fields and values}; the cursor is `0` after the last part. A small group comes whole.
 */
export const SCAN = script(
  CLOCK,
  `
if ARGV[1] == '' and redis.call('HLEN', KEYS[1]) <= 128 then return { now, '0', redis.call('HGETALL', KEYS[1]) } end
local part = redis.call('HSCAN', KEYS[1], ARGV[1] == '' and '0' or ARGV[1], 'COUNT', ARGV[2])
return { now, part[1], part[2] }
`,
);
