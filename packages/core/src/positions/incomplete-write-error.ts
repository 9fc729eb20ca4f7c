import { brandOf, isBranded } from "../errors/brand.ts";
import type { WriteStatus } from "./write-status.ts";

const brand = brandOf("IncompleteWriteError");

/** What an {@link IncompleteWriteError} is about. */
export interface IncompleteWrite<Result> {
  /** What became of each position, in the order given. */
  readonly results: readonly Result[];
  /** What went wrong first, or the reason of the abort. */
  readonly cause: unknown;
}

/** Not all positions were written, or could be looked at. `cause` is what went wrong first, or the reason of the abort. */
export class IncompleteWriteError<
  Result extends { readonly status: WriteStatus } = { readonly status: WriteStatus },
> extends Error {
  override readonly name: string = "IncompleteWriteError";
  /** What became of each position, in the order given. */
  readonly results: readonly Result[];

  constructor(message: string, { results, cause }: IncompleteWrite<Result>) {
    super(message, { cause });
    this.results = results;
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, brand, this, IncompleteWriteError);
  }
}
