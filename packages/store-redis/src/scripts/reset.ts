import { CLOCK, RECORD, WRITES } from "./record.ts";
import { script } from "./script.ts";

/** Resets (contract 3.2c). Per entry: position, metadata, TTL as in a claim. Answers per entry 1, or {6, version}. */
export const RESET = script(
  CLOCK,
  RECORD,
  WRITES,
  `
local n = tonumber(ARGV[1])
local stored = call('HMGET', key, unpack(ARGV, 2, n + 1))
local outcomes = {}
for i = 1, n do
  local a = n + i * 3 - 1
  local value, outcome, expires, ttl = stored[i], 1, nil, ''
  if value then
    expires, ttl = decode(value)
    if not expires then outcome = foreign(value)
    elseif gone(expires) then expires, ttl = nil, '' end
  end
  if outcome == 1 then
    local at, life = lifetime(ARGV[a + 2], ttl)
    write(ARGV[i + 1], encode(at, life, ARGV[a], now, '', '', '', ARGV[a + 1]), at, expires)
  end
  outcomes[i] = outcome
end
flush()
return outcomes
`,
);
