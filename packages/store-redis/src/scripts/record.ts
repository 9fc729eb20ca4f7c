/**
 * What every script that changes a group begins with: the server's time.
 *
 * KEYS[1] is the group's hash. ARGV[1] is a count n, then come n fields, then what is particular to each. A script reads
 * all it needs in one HMGET and writes in one HSET.
 */
export const CLOCK = `
local key, call, match, sub, len = KEYS[1], redis.call, string.match, string.sub, string.len
local clock = call('TIME')
local now = clock[1] .. string.format('%03d', math.floor(clock[2] / 1000))
`;

/**
 * How to read, write and compare. Positions are decimal strings throughout: Lua's numbers are doubles (contract 3.8b).
 */
export const RECORD = `
local NOW = tonumber(now)
local MAX = '9223372036854775807'
local function ahead(a, b)
  local x, y = len(a), len(b)
  if x == y then return a > b end
  return x > y
end
local function decode(value)
  local committed, expires, ttl, claimed, t, o, m, at = match(value, '^1;(%d*);(%d*);(%d*);(%d*);(%d+);(%d+);(%d+);()')
  if not at then return nil end
  t, o, m = tonumber(t), tonumber(o), tonumber(m)
  local offset = at + t + o + m <= len(value) and match(value, '^;(%d*)$', at + t + o + m)
  if not offset or (expires == '') ~= (ttl == '') or len(expires) > 15 or len(ttl) > 15
    or (len(offset) > 1 and (string.byte(offset) == 48 or ahead(offset, MAX))) then return nil end
  return expires, ttl, offset, committed, claimed,
    sub(value, at, at + t - 1), sub(value, at + t, at + t + o - 1), sub(value, at + t + o, at + t + o + m - 1)
end
local function gone(expires)
  return expires ~= '' and tonumber(expires) <= NOW
end
local function foreign(value)
  return { 6, match(value, '^(%d+);') or '' }
end
local function encode(expires, ttl, offset, committed, claimed, token, owner, metadata)
  return '1;' .. committed .. ';' .. expires .. ';' .. ttl .. ';' .. claimed .. ';' ..
    len(token) .. ';' .. len(owner) .. ';' .. len(metadata) .. ';' .. token .. owner .. metadata .. ';' .. offset
end
`;

/**
 * The hash's own expiry is the latest of its records', so that Redis frees an abandoned consumer by itself: too late at
 * worst, never too early. `settle` finds it by looking at every record. It is called only when a record that never expired
 * or expired later is no longer there; a commit never pays for the records beside its own (contract 3.10a).
 */
export const SETTLE = `
local function settle(lasting)
  local size = call('HLEN', key)
  if size > 512 then
    if not lasting then return end
    local sample = call('HRANDFIELD', key, 64, 'WITHVALUES')
    for i = 2, #sample, 2 do
      if (decode(sample[i]) or '') == '' then return call('PERSIST', key) end
    end
  end
  local latest = 0
  for _, value in ipairs(call('HVALS', key)) do
    local expires = decode(value) or ''
    if expires == '' then return call('PERSIST', key) end
    latest = math.max(latest, tonumber(expires))
  end
  if latest > 0 then call('PEXPIREAT', key, string.format('%.0f', latest)) end
end
`;

/** How a script's writes are collected, and made in one HSET with the key's own expiry. */
export const WRITES = `${SETTLE}
local writes, wrote = {}, 0
local fresh, latest, lasts, lasting, shorter = false, 0, false, false, false
local lastTtl, lastExpires
local function lifetime(asked, kept)
  local ttl = kept
  if asked == '-' then ttl = '' elseif asked ~= '' then ttl = asked end
  if ttl == '' then return '', '' end
  if ttl ~= lastTtl then lastTtl, lastExpires = ttl, string.format('%.0f', NOW + tonumber(ttl)) end
  return lastExpires, ttl
end
local function write(field, value, expires, before)
  writes[wrote + 1], writes[wrote + 2] = field, value
  wrote = wrote + 2
  if not before then fresh = true end
  if expires == '' then
    if before ~= '' then lasts = true end
  else
    local at = tonumber(expires)
    if at > latest then latest = at end
    if before == '' then lasting = true elseif before and at < tonumber(before) then shorter = true end
  end
end
local function flush()
  if wrote == 0 then return end
  local existed = not fresh or call('EXISTS', key) == 1
  call('HSET', key, unpack(writes))
  if lasts then call('PERSIST', key)
  elseif not existed then call('PEXPIREAT', key, string.format('%.0f', latest))
  elseif lasting or shorter then settle(lasting)
  elseif latest > 0 then call('PEXPIREAT', key, string.format('%.0f', latest), 'GT') end
end
`;
