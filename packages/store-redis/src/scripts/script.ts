import { createHash } from "node:crypto";

/** A Lua script as the server knows it. */
export interface Script {
  readonly source: string;
  /** The SHA-1 of the source, in hexadecimal. */
  readonly sha: string;
}

/** Names a script by its hash. */
export function script(...parts: readonly string[]): Script {
  const source = parts.join("");
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}
