import { createHash } from "node:crypto";

/** A Lua script as the server knows it. */
export interface Script {
  readonly source: string;
  /** The SHA-1 of the source, in hexadecimal. */
  readonly sha: string;
}

/** Stands where a version is expected: nothing is stored. Longer than a version, so that nothing stored equals it. */
export const NOTHING = "(none stored)";
/** Stands where versions are expected: any version, or none. */
export const ANYTHING = "*";
/** Stands for a time to live: there is none. */
export const FOREVER = "-";
/** The answer of a script that has written, and is not asked when. */
export const WRITTEN = 1;
/** What the answer of a script begins with that has written nothing; a digit for each change follows. */
export const REFUSED = "!";
/** So many values go to one command of a script: Lua's stack holds 8,000. Even, because fields go with their values. */
const PART = 4_000;

/** A function that reads n fields of a hash, which follow ARGV[before]. */
const FIELDS = `
local function fields(call, key, before, n)
  local values = call('HMGET', key, unpack(ARGV, before + 1, before + math.min(n, ${PART})))
  for first = ${PART + 1}, values.err and 0 or n, ${PART} do
    local part = call('HMGET', key, unpack(ARGV, before + first, before + math.min(n, first + ${PART - 1})))
    for i = 1, #part do values[first - 1 + i] = part[i] end
  end
  return values
end`;

/** A function that gives a command all that is in a list, in as many calls as it takes. */
const SPREAD = `
local function spread(command, key, list)
  for first = 1, #list, ${PART} do
    redis.call(command, key, unpack(list, first, math.min(#list, first + ${PART - 1})))
  end
end`;

/** What the digits of an answer say. */
export const CONFLICT = "0";
export const FOREIGN = "2";

/**
 * Writes what nearly every commit is: fields of one hash that are all there. KEYS[1] alone is named, so that it works while
 * its slot moves. ARGV: life (empty: stays as it is), the version that all have (empty: one for each follows the fields).
 * Then, of one: the field, version and text. Of several: what all of their versions and texts begin with, what they end
 * with, the fields, what is between. Answers 1, or `!` and a digit for each field: 1 as expected, 0 not.
 *
 * Redis may take a hash back, but never before the last of its records may go. What never expires counts as later than
 * anything, for GT: such a hash gets a time only if it holds nothing but what is written, all of it with a time to live.
 *
 * What fails must have written nothing, and what a script has done stays: so the records come after all that the user may not be
 * allowed to do. After them comes only a time for what had none: records that are not written must not begin to expire.
 */
export const STEADY = script(`${FIELDS}${SPREAD}
local call, find, key, life, all = redis.call, string.find, KEYS[1], ARGV[1], ARGV[2]
local n, stored = 1, nil
if #ARGV == 4 then
  local value = call('HGET', key, ARGV[3])
  if not value or find(value, all, 1, true) ~= 1 then return '!0' end
else
  n = (#ARGV - 4) / (all == '' and 3 or 2)
  local argv, one, clash = ARGV, all ~= '' and all, false
  stored = fields(call, key, 4, n)
  for i = 1, n do
    local value = stored[i]
    if not value or find(value, one or argv[4 + n + i], 1, true) ~= 1 then clash, stored[i] = true, '0' end
  end
  if clash then
    for i = 1, n do stored[i] = stored[i] == '0' and '0' or '1' end
    return '!' .. table.concat(stored)
  end
end
local begins = life ~= '' and call('PEXPIRE', key, life, 'GT') == 0 and call('PTTL', key) == -1 and call('HLEN', key) == n
local clock = call('TIME')
if not stored then
  call('HSET', key, ARGV[3], ARGV[4] .. ';' .. clock[1] .. ';' .. clock[2])
else
  local argv, texts = ARGV, #ARGV - n
  local head, tail = argv[3], argv[4] .. ';' .. clock[1] .. ';' .. clock[2]
  for i = n, 1, -1 do
    stored[i * 2] = head .. argv[texts + i] .. tail
    stored[i * 2 - 1] = argv[4 + i]
  end
  spread('HSET', key, stored)
end
if begins then call('PEXPIRE', key, life) end
return 1
`);

/**
 * Writes anything, all or nothing. KEYS: hashes, then the index (left out where it lies on another node for a while). ARGV:
 * how many hashes, then for each: its name in the index, n, life (empty: stays as it is, `-`: none), n fields, n times the versions
 * expected with commas between, n times version and text (empty: removes).
 *
 * The records come last here too, and the index before them: it may name too many. It names what is written whether it did
 * or not; where it names fewer than the hash has, it was lost, and is made again from the hash. Removals come after all
 * else: while a slot moves, a script fails where it comes to a key that is not there, even if the key is gone by its own
 * doing. Before them the index is asked for a name that no record has: that fails where to remove names would.
 *
 * Answers `;` seconds `;` microseconds, or `!` and a digit for each change: 1 as expected, 0 not, 2 what is there is no hash.
 */
export const WRITE = script(`${FIELDS}${SPREAD}
local call, sub, find = redis.call, string.sub, string.find
local hashes = tonumber(ARGV[1])
local index, at, clash, fits, foreign, found = KEYS[hashes + 1], 2, false, {}, {}, {}
for h = 1, hashes do
  local n = tonumber(ARGV[at + 1])
  local stored = fields(redis.pcall, KEYS[h], at + 2, n)
  if stored.err and not find(stored.err, '^WRONGTYPE') then return stored end
  foreign[h], found[h] = stored.err, stored
  stored.new = 0
  for i = 1, n do
    local expected, fit = ARGV[at + 2 + n + i], '1'
    if foreign[h] then
      if expected ~= '${ANYTHING}' or ARGV[at + 2 + 2 * n + i] ~= '' then fit = '${FOREIGN}' end
    elseif expected ~= '${ANYTHING}' then
      local version = stored[i] and sub(stored[i], 1, 12) or '${NOTHING}'
      if version ~= expected and not find(',' .. expected .. ',', ',' .. version .. ',', 1, true) then fit = '${CONFLICT}' end
    end
    if fit ~= '1' then clash = true end
    fits[#fits + 1] = fit
  end
  at = at + 3 + 3 * n
end
if clash then return '${REFUSED}' .. table.concat(fits) end
local clock = call('TIME')
local now = ';' .. clock[1] .. ';' .. clock[2]
local sets, removals, unnamed = {}, {}, {}
at = 2
for h = 1, hashes do
  local key, name, n, life = KEYS[h], ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local writes, named, gone = {}, {}, {}
  for i = 1, n do
    local field, text = ARGV[at + 2 + i], ARGV[at + 2 + 2 * n + i]
    if text == '' then
      gone[#gone + 1], unnamed[#unnamed + 1] = field, name .. '/' .. field
    else
      writes[#writes + 1], writes[#writes + 2] = field, text .. now
      named[#named + 1], named[#named + 2] = '0', name .. '/' .. field
      if not found[h][i] then found[h].new = found[h].new + 1 end
    end
  end
  if #gone > 0 then removals[#removals + 1] = { key = key, foreign = foreign[h], gone = gone } end
  if #writes > 0 then
    local length, begins = call('HLEN', key) + found[h].new, false
    if index then
      spread('ZADD', index, named)
      if call('ZLEXCOUNT', index, '[' .. name .. '/', '(' .. name .. '0') < length then
        for _, field in ipairs(call('HKEYS', key)) do call('ZADD', index, 0, name .. '/' .. field) end
      end
    end
    if life == '${FOREVER}' then
      call('PERSIST', key)
    elseif life ~= '' and call('PEXPIRE', key, life, 'GT') == 0 then
      begins = call('PTTL', key) < 0 and length == #writes / 2
    end
    sets[#sets + 1] = { key = key, writes = writes, life = begins and life }
  end
  at = at + 3 + 3 * n
end
if index and #unnamed > 0 then call('ZREM', index, '') end
for _, set in ipairs(sets) do
  spread('HSET', set.key, set.writes)
  if set.life then call('PEXPIRE', set.key, set.life) end
end
for _, removal in ipairs(removals) do
  if removal.foreign then call('DEL', removal.key) else spread('HDEL', removal.key, removal.gone) end
end
if index then spread('ZREM', index, unnamed) end
return now
`);

/** Fields of one hash, ARGV: the time, and their values; nil in place of those if there is no hash but something else. */
export const READ = script(`${FIELDS}
local clock = redis.call('TIME')
local values = fields(redis.pcall, KEYS[1], 0, #ARGV)
if values.err then
  if not string.find(values.err, '^WRONGTYPE') then return values end
  values = false
end
return { ';' .. clock[1] .. ';' .. clock[2], values }
`);

/** Takes names out of the index whose fields are not there. KEYS: hash, index. ARGV: the hash's name, fields. */
export const PRUNE = script(`
for i = 2, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then redis.call('ZREM', KEYS[2], ARGV[1] .. '/' .. ARGV[i]) end
end
`);

function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}
