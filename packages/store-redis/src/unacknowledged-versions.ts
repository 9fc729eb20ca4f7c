import type { Change, ReadEntry } from "@tidemark/core/driver";

/** After so many, the oldest is forgotten: its call is long over. */
const MAX_VERSIONS = 10_000;
const MARK = "?";

/**
 * The versions that this store has written, or may have, without the acknowledgement that was asked for. A read of one
 * gets another version: taken for what it is, it would make a write whose answer was lost count as acknowledged. So the
 * write is made again, under a version that is waited for.
 */
export class UnacknowledgedVersions {
  readonly #versions = new Set<string>();

  /** The changes as they are to be sent. */
  sending(changes: readonly Change[]): Change[] {
    return changes.map((change) => {
      this.#versions.add(change.version);
      if (change.expected === "any") return change;
      return { ...change, expected: change.expected.map((version) => version?.replace(MARK, "") ?? null) };
    });
  }

  acknowledged(changes: readonly Change[]): void {
    for (const { version } of changes) this.#versions.delete(version);
    for (const oldest of this.#versions) {
      if (this.#versions.size <= MAX_VERSIONS) break;
      this.#versions.delete(oldest);
    }
  }

  /** The entry as a reader is to see it. */
  read(entry: ReadEntry): ReadEntry {
    if (entry === undefined || "error" in entry || !this.#versions.has(entry.version)) return entry;
    return { ...entry, version: entry.version + MARK };
  }
}
