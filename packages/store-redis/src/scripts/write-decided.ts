import { CLOCK, RECORD, WRITES } from "./record.ts";
import { script } from "./script.ts";

/**
 * Writes one record that was decided on before, under WATCH: field, record, the time at which it expires (empty: never).
 * Only what the hash's own expiry becomes is found out here.
 */
export const WRITE_DECIDED = script(
  CLOCK,
  RECORD,
  WRITES,
  `
local before = call('HGET', key, ARGV[1])
write(ARGV[1], ARGV[2], ARGV[3], before and (decode(before)) or nil)
flush()
return 1
`,
);
