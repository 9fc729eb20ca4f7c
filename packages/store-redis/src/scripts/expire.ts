import { CLOCK, RECORD, WRITES } from "./record.ts";
import { script } from "./script.ts";

/** New times to live (contract 3.5f). Per entry: the TTL, `-` for none. Answers per entry 1, {2} absent, or {6, version}. */
export const EXPIRE = script(
  CLOCK,
  RECORD,
  WRITES,
  `
local n = tonumber(ARGV[1])
local stored = call('HMGET', key, unpack(ARGV, 2, n + 1))
local outcomes = {}
for i = 1, n do
  local value, outcome = stored[i], { 2 }
  if value then
    local expires, ttl, offset, committed, claimed, token, owner, metadata = decode(value)
    if not expires then outcome = foreign(value)
    elseif not gone(expires) then
      local at, life = lifetime(ARGV[n + 1 + i], '')
      write(ARGV[i + 1], encode(at, life, offset, committed, claimed, token, owner, metadata), at, expires)
      outcome = 1
    end
  end
  outcomes[i] = outcome
end
flush()
return outcomes
`,
);
