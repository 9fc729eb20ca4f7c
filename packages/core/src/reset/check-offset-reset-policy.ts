import type { OffsetResetPolicy } from "../offset-reset-policy.ts";

/**
 * Checks whether a value has the shape of an {@link OffsetResetPolicy}, and says what it lacks.
 *
 * @param what - What to call the value in the message, for example `policy module "./my-policy.js"`.
 * @throws TypeError if it is not a policy.
 */
export function checkOffsetResetPolicy(value: unknown, what: string): OffsetResetPolicy {
  if (typeof value === "function") {
    throw new TypeError(`${what} is a function: give the policy that it returns, not the function`);
  }
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`${what} is not a policy: expected an object with name and timestamp(), got ${nameOf(value)}`);
  }
  const { name, timestamp, adjustOffset } = value as Partial<Record<keyof OffsetResetPolicy, unknown>>;
  const lacking: string[] = [];
  if (name === undefined) lacking.push("name");
  if (timestamp === undefined) lacking.push("timestamp()");
  if (lacking.length > 0) throw new TypeError(`${what} lacks ${lacking.join(" and ")}`);
  if (typeof name !== "string" || name === "") throw new TypeError(`${what}: name is not a non-empty string`);
  if (typeof timestamp !== "function") throw new TypeError(`${what}: timestamp is not a function`);
  if (adjustOffset !== undefined && typeof adjustOffset !== "function") {
    throw new TypeError(`${what}: adjustOffset is not a function`);
  }
  return value as OffsetResetPolicy;
}

function nameOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
