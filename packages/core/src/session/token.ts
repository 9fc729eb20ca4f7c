import { randomBytes } from "node:crypto";

/** A claim's token: 128 random bits, so that no two sessions ever have the same. */
export function newToken(): string {
  return randomBytes(16).toString("base64url");
}
