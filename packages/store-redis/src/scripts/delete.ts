import { CLOCK, RECORD, SETTLE } from "./record.ts";
import { script } from "./script.ts";

/**
 * Deletes fields. ARGV[1]: `anything` or `records`, then the fields. Answers those that held something anybody could see.
 * What is no hash lies in the place of all of them, and `anything` removes it: an operator who names the keys means it.
 */
export const DELETE_FIELDS = script(
  CLOCK,
  RECORD,
  SETTLE,
  `
local kind = call('TYPE', key).ok
local removed, lasting = {}, false
if kind == 'none' then return removed end
if kind ~= 'hash' and ARGV[1] == 'anything' then
  call('UNLINK', key)
  for i = 2, #ARGV do removed[i - 1] = ARGV[i] end
  return removed
end
local stored = call('HMGET', key, unpack(ARGV, 2))
for i = 1, #ARGV - 1 do
  if stored[i] then
    local expires = decode(stored[i])
    if not expires or not gone(expires) then removed[#removed + 1] = ARGV[i + 1] end
    if (expires or '') == '' then lasting = true end
  end
end
call('HDEL', key, unpack(ARGV, 2))
settle(lasting)
return removed
`,
);

/**
 * Deletes a part of a group. ARGV: cursor, about how many fields, `all` or `expired`. Answers {next cursor, the fields
 * to tell of}. One step: what was renewed before is not among the expired (contract 3.6b).
 */
export const DELETE_SCANNED = script(
  CLOCK,
  RECORD,
  SETTLE,
  `
local part = call('HSCAN', key, ARGV[1], 'COUNT', ARGV[2])
local told, dead, lasting = {}, {}, false
for i = 1, #part[2], 2 do
  local field, expires = part[2][i], decode(part[2][i + 1])
  local over = expires and gone(expires) or false
  if match(field, '^%d+$') and (ARGV[3] == 'all' or over) then
    dead[#dead + 1] = field
    if ARGV[3] == 'expired' or not over then told[#told + 1] = field end
    if (expires or '') == '' then lasting = true end
  end
end
for i = 1, #dead, 1000 do call('HDEL', key, unpack(dead, i, math.min(i + 999, #dead))) end
if #dead > 0 then settle(lasting) end
return { part[1], told }
`,
);
