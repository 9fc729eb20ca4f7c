export { atTimestamp } from "./at-timestamp.ts";
export { byDuration } from "./by-duration.ts";
export { earliest } from "./earliest.ts";
export { lastOffset } from "./last-offset.ts";
export { latest } from "./latest.ts";
export { nearest } from "./nearest.ts";
export { none } from "./none.ts";
export { offsetResetPolicyByName, offsetResetPolicyNames } from "./offset-reset-policy-by-name.ts";
