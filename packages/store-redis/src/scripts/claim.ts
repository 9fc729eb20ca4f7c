import { CLOCK, RECORD, WRITES } from "./record.ts";
import { script } from "./script.ts";

/**
 * Claims (contract 3.1b). Per entry: token, owner, TTL (empty: as it is, `-`: none any more). Answers per entry what was
 * there: the record, nil, or {6, version} if it is unreadable and left as it is. Sweeps a few expired records beside.
 */
export const CLAIM = script(
  CLOCK,
  RECORD,
  WRITES,
  `
local n = tonumber(ARGV[1])
local stored = call('HMGET', key, unpack(ARGV, 2, n + 1))
local found = {}
for i = 1, n do
  local a = n + i * 3 - 1
  local token, newOwner, asked, value = ARGV[a], ARGV[a + 1], ARGV[a + 2], stored[i]
  local expires, ttl, offset, committed, claimed, holder, owner, metadata
  local readable = true
  if value then
    expires, ttl, offset, committed, claimed, holder, owner, metadata = decode(value)
    if not expires then readable = false
    elseif gone(expires) then value = false end
  end
  if not readable then found[i] = foreign(value)
  elseif not value then
    local at, life = lifetime(asked, '')
    write(ARGV[i + 1], encode(at, life, '', '', now, token, newOwner, ''), at, nil)
    found[i] = false
  else
    local at, life = lifetime(asked, ttl)
    if holder ~= token then claimed = now end
    write(ARGV[i + 1], encode(at, life, offset, committed, claimed, token, newOwner, metadata), at, expires)
    found[i] = value
  end
end
flush()
local sample, dead = call('HRANDFIELD', key, 16, 'WITHVALUES'), {}
for i = 2, #sample, 2 do
  local expires = decode(sample[i])
  if expires and gone(expires) then dead[#dead + 1] = sample[i - 1] end
end
if #dead > 0 then call('HDEL', key, unpack(dead)) end
return found
`,
);
