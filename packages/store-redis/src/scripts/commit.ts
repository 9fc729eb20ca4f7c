import { CLOCK, RECORD, WRITES } from "./record.ts";
import { script } from "./script.ts";

/**
 * What nearly every commit is: no options, each record there with this token and metadata, and a position after the one
 * before. Writes them all as the rest of the script would, at a third of its cost, or nothing: then the rest decides.
 *
 * All before the position is the same in the records that one session claimed and committed together: what was looked
 * at once is known in the next record, and so is what it becomes.
 */
const STEADY = `
local n = tonumber(ARGV[1])
local stored = call('HMGET', key, unpack(ARGV, 2, n + 1))
local function steady()
  if #ARGV ~= n * 4 + 1 then return false end
  local writes, latest = {}, ''
  local before, size, holder, metadata, after
  for i = 1, n do
    local a, value = n + i * 3 - 1, stored[i]
    if not value then return false end
    if not before or sub(value, 1, size) ~= before then
      local expires, ttl, kept, t, o, m, at = match(value, '^1;%d*;(%d*);(%d*)();%d*;(%d+);(%d+);(%d+);()')
      if not at then return false end
      size = at + t + o + m - 1
      if size > len(value) then return false end
      before, holder, metadata = sub(value, 1, size), sub(value, at, at + t - 1), sub(value, at + t + o, size)
      local renewed = ''
      if expires ~= '' or ttl ~= '' then
        if ttl == '' or len(ttl) > 13 or len(expires) ~= len(now) or expires <= now then return false end
        renewed = string.format('%.0f', now + ttl)
        if len(renewed) ~= len(now) or renewed < expires then return false end
        if renewed > latest then latest = renewed end
      end
      after = '1;' .. now .. ';' .. renewed .. ';' .. ttl .. sub(value, kept, size) .. ';'
    end
    local token, position, text = ARGV[a], ARGV[a + 1], ARGV[a + 2]
    local offset = match(value, '^;([1-9]%d*)$', size + 1)
    if not offset or holder ~= token or metadata ~= text or len(offset) > len(position)
      or (len(offset) == len(position) and offset > position) then return false end
    writes[i * 2 - 1], writes[i * 2] = ARGV[i + 1], after .. position
  end
  call('HSET', key, unpack(writes))
  if latest ~= '' then call('PEXPIREAT', key, latest, 'GT') end
  return true
end
if steady() then return 1 end
`;

/**
 * Commits (contract 3.1, 3.2, 3.11). Per entry: token, position, metadata. If any entry has one of the rarer options, then
 * also a text per entry: `TTL;REWIND_FROM;RECREATE;NEXT_TOKEN_BYTES;NEXT_TOKEN OWNER` (TTL `-`: none any more), or empty.
 *
 * Answers 1 if all are committed, else per entry: 1 committed, {2} absent, {3} reset, {4, owner} superseded,
 * {5, record} behind, {6, version} unreadable.
 */
export const COMMIT = script(
  CLOCK,
  STEADY,
  RECORD,
  WRITES,
  `
local outcomes, refused = {}, false
for i = 1, n do
  local a = n + i * 3 - 1
  local token, position, text, value = ARGV[a], ARGV[a + 1], ARGV[a + 2], stored[i]
  local options = ARGV[n * 4 + 1 + i] or ''
  local asked, rewind, recreate, nextToken, newOwner = '', '', '0', token, ''
  if options ~= '' then
    local size, at
    asked, rewind, recreate, size, at = match(options, '^([-%d]*);(%d*);([01]);(%d*);()')
    if size ~= '' then
      nextToken = sub(options, at, at + size - 1)
      at = at + size
    end
    newOwner = sub(options, at)
  end
  local outcome, expires, ttl, offset, committed, claimed, holder, owner, metadata = 1
  if value then
    expires, ttl, offset, committed, claimed, holder, owner, metadata = decode(value)
    if not expires then outcome = foreign(value)
    elseif gone(expires) then value = false end
  end
  if outcome ~= 1 then -- unreadable
  elseif not value then
    if recreate == '1' then
      local at, life = lifetime(asked, '')
      write(ARGV[i + 1], encode(at, life, position, position == '' and '' or now, now, nextToken, newOwner, text), at, nil)
    else outcome = { 2 } end
  elseif holder == '' then outcome = { 3 }
  elseif holder ~= token and holder ~= nextToken then outcome = { 4, owner }
  elseif position ~= '' and offset ~= '' and ahead(offset, position) and rewind ~= offset then outcome = { 5, value }
  else
    local at, life = lifetime(asked, ttl)
    if position == '' then
      write(ARGV[i + 1], encode(at, life, offset, committed, claimed, nextToken, owner, metadata), at, expires)
    else
      write(ARGV[i + 1], encode(at, life, position, now, claimed, nextToken, owner, text), at, expires)
    end
  end
  outcomes[i] = outcome
  if outcome ~= 1 then refused = true end
end
flush()
if refused then return outcomes end
return 1
`,
);
