import { randomBytes } from "node:crypto";

const VERSION_LENGTH = 12;
const BYTES = (VERSION_LENGTH * 6) / 8;
const POOLED = 512;
let pool = "";
let used = 0;

/** A version, as every write has one of its own: 72 random bits in 12 characters. */
export function newVersion(): string {
  if (used >= pool.length) {
    pool = randomBytes(BYTES * POOLED).toString("base64url");
    used = 0;
  }
  return pool.slice(used, (used += VERSION_LENGTH));
}
