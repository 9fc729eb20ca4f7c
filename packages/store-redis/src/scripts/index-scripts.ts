import { script } from "./script.ts";

const CLOCK = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local names, claimed = KEYS[1], KEYS[2]
`;

/** How long after its last claim a group's entry stays although the group is not there: a claim may be on its way. */
const GRACE_MS = 600_000;

/**
 * One claim in so many looks at so many entries. Together two for each claim: names that are used once, as of a consumer for
 * each run, are forgotten faster than new ones come, as soon as half of them are dead.
 */
const CLAIMS_PER_LOOK = 16;
const SUSPECTS = 32;

/**
 * Enters groups, before their records are written. Answers now and then a few entries that may be dead: {name, time}.
 */
export const ANNOUNCE = script(
  CLOCK,
  `
local time = string.format('%.0f', now)
for _, member in ipairs(ARGV) do
  redis.call('ZADD', names, 0, member)
  redis.call('HSET', claimed, member, time)
end
local suspects = {}
if clock[2] % ${CLAIMS_PER_LOOK} == 0 then
  local sample = redis.call('HRANDFIELD', claimed, ${SUSPECTS}, 'WITHVALUES')
  for i = 1, #sample, 2 do
    if now - tonumber(sample[i + 1]) >= ${GRACE_MS} then suspects[#suspects + 1] = { sample[i], sample[i + 1] } end
  end
end
return suspects
`,
);

/** A page of names in their order. ARGV: lower and upper bound as ZRANGEBYLEX takes them, how many. {name, time} each. */
export const PAGE = script(
  `
local members = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
if #members == 0 then return {} end
local times, page = redis.call('HMGET', KEYS[2], unpack(members)), {}
for i, member in ipairs(members) do page[i] = { member, times[i] or '' } end
return page
`,
);

/**
 * Removes entries of groups that were seen to be gone. ARGV: name and the time that was read with it, of each. One that
 * was claimed since, or not long ago, stays: its record may be about to be written.
 */
export const PRUNE = script(
  CLOCK,
  `
local pruned = 0
for i = 1, #ARGV, 2 do
  local time = redis.call('HGET', claimed, ARGV[i]) or ''
  if time == ARGV[i + 1] and (time == '' or now - tonumber(time) >= ${GRACE_MS}) then
    redis.call('ZREM', names, ARGV[i])
    redis.call('HDEL', claimed, ARGV[i])
    pruned = pruned + 1
  end
end
return pruned
`,
);
