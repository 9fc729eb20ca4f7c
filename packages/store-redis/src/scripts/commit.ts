import { RECORD, WRITES } from "./record.ts";
import { script } from "./script.ts";

/**
 * Commits (contract 3.1, 3.2, 3.11). Per entry: token, position, metadata, and the rarer options as one text, in most
 * commits empty: `TTL;REWIND_FROM;RECREATE;NEXT_TOKEN_BYTES;NEXT_TOKEN OWNER` (TTL `-`: none any more).
 *
 * Answers 1 if all are committed, else per entry: 1 committed, {2} absent, {3} reset, {4, owner} superseded,
 * {5, record} behind, {6, version} unreadable.
 */
export const COMMIT = script(
  RECORD,
  WRITES,
  `
local n = tonumber(ARGV[1])
local stored = call('HMGET', key, unpack(ARGV, 2, n + 1))
local outcomes, refused = {}, false
for i = 1, n do
  local a = n + i * 4 - 2
  local token, position, text, options, value = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], stored[i]
  local asked, rewind, recreate, nextToken, newOwner = '', '', '0', token, ''
  if options ~= '' then
    local size, at
    asked, rewind, recreate, size, at = match(options, '^([-%d]*);(%d*);([01]);(%d*);()')
    if size ~= '' then
      nextToken = string.sub(options, at, at + size - 1)
      at = at + size
    end
    newOwner = string.sub(options, at)
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
