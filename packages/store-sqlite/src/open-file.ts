import { type BigIntStats, statSync } from "node:fs";
import { FileReplacedError } from "./sqlite-errors.ts";

/** How often the file is looked at while one call follows the other. */
const LOOK_EVERY_MS = 100;

/**
 * The file that a handle has open, and whether it is still the one under its name. On most systems an open file can be
 * deleted, and what is written to it then is gone with the handle. The write-ahead log goes also when another copy of SQLite
 * in this process closes the file: the system drops the locks of both.
 */
export class OpenFile {
  readonly #files: readonly { readonly path: string; readonly identity: BigIntStats | undefined }[];
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param log - The write-ahead log: beside the file itself, where SQLite looks for it, not beside a link to it. */
  constructor(file: string, log: string) {
    this.#files = [file, log].map((path) => ({ path, identity: identify(path) }));
  }

  /**
   * Looks, unless that was done a moment ago.
   *
   * @param at - `performance.now()`
   * @throws `FileReplacedError` if file or log are not those that were opened.
   */
  refuseIfReplaced(at: number): void {
    if (at - this.#lookedAt < LOOK_EVERY_MS) return;
    for (const { path, identity } of this.#files) {
      if (isSame(identity, identify(path))) continue;
      // The next call looks again.
      this.#lookedAt = Number.NEGATIVE_INFINITY;
      throw new FileReplacedError(
        `${JSON.stringify(path)} was deleted or replaced while it was open, and further writes would be lost; ` +
          "close the store and open it again",
      );
    }
    this.#lookedAt = at;
  }

  /** Whether a path, as another handle knows it, is this file. */
  isAt(path: string): boolean {
    return path !== "" && isSame(this.#files[0]?.identity, identify(path));
  }
}

function identify(file: string): BigIntStats | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false });
}

function isSame(one: BigIntStats | undefined, other: BigIntStats | undefined): boolean {
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}
