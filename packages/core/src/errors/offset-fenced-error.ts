import { formatKey, type OffsetKey } from "../key.ts";
import type { FencedReason } from "../offset-store.ts";
import { brandOf, isBranded } from "./brand.ts";
import { helpUrlOf, withHelp } from "./error-help.ts";

/** What an {@link OffsetFencedError} is made from. */
export interface OffsetFencedErrorOptions {
  readonly key: OffsetKey;
  readonly reason: FencedReason;
  /** The owner of the current claim, if there is one. */
  readonly owner?: string | undefined;
  readonly cause?: unknown;
}

const CODE = "FENCED";
const brand = brandOf("OffsetFencedError");

/**
 * The session lost the right to commit: its claim was taken over, reset or deleted. It never writes again; open a new
 * session to continue.
 */
export class OffsetFencedError extends Error {
  override readonly name: string = "OffsetFencedError";
  readonly code = CODE;
  readonly key: OffsetKey;
  readonly reason: FencedReason;
  readonly owner: string | undefined;

  constructor(options: OffsetFencedErrorOptions) {
    super(withHelp(messageOf(options), CODE), options.cause === undefined ? undefined : { cause: options.cause });
    this.key = options.key;
    this.reason = options.reason;
    this.owner = options.owner;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Where the code is explained, and what to do about it; the message ends with it. */
  get help(): string {
    return helpUrlOf(this.code);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, brand, this, OffsetFencedError);
  }
}

function messageOf({ key, reason, owner }: OffsetFencedErrorOptions): string {
  const what = formatKey(key);
  switch (reason) {
    case "superseded":
      return `${what} was taken over by ${owner === undefined ? "another session" : JSON.stringify(owner)}; this session stopped and wrote nothing more`;
    case "reset":
      return `${what} was reset by an operator; this session stopped, start it again to continue from the new position`;
    case "released":
      return `${what} was released by its holder; this session stopped, claim it again to continue`;
    case "absent":
      return `${what} was deleted or has expired; this session stopped, start it again to begin at its start position`;
  }
}
