import { type StoredOffset, visibleAt } from "@tidemark/core/driver";
import type { GroupSnapshot } from "./group-snapshot.ts";
import { NewerDocumentError, type PartitionEntry, UnreadableEntryError } from "./offsets-document.ts";

/** The moment at which the object is written, in a transition's place for the time of now: nobody knows it before. */
export const AT_WRITING = Number.NaN;

/** What a group's object is to become: steps read it and write it, then it is stored whole or not at all. */
export class GroupDraft {
  readonly #snapshot: GroupSnapshot;
  readonly #key: string;
  readonly #partitions: Map<number, PartitionEntry>;
  #damage: GroupSnapshot["damage"];
  #changed = false;
  #deadline = Number.POSITIVE_INFINITY;

  constructor(snapshot: GroupSnapshot, key: string) {
    this.#snapshot = snapshot;
    this.#key = key;
    this.#partitions = new Map(snapshot.partitions);
    this.#damage = snapshot.damage;
  }

  /** Whether there is something to store. */
  get changed(): boolean {
    return this.#changed;
  }

  /** What the steps were told is right if it is stored before this time, in milliseconds: then a record expires. */
  get deadline(): number {
    return this.#deadline;
  }

  /** The position that is visible now. Throws if what is stored cannot be read. */
  read(partition: number): StoredOffset | undefined {
    if (this.#damage !== undefined) throw this.#damage;
    const entry = this.#partitions.get(partition);
    if (entry === undefined) return undefined;
    if ("raw" in entry) {
      throw new UnreadableEntryError(`partition ${partition} in the object ${JSON.stringify(this.#key)} is damaged`);
    }
    const stored = visibleAt(entry.stored, this.#snapshot.now);
    const expiresAt = stored?.expiresAt;
    if (expiresAt !== undefined && expiresAt < this.#deadline) this.#deadline = expiresAt;
    return stored;
  }

  /** Stores a position that follows from the one that was read. */
  write(partition: number, stored: StoredOffset): void {
    const before = this.#partitions.get(partition);
    let until: number | undefined;
    if (before !== undefined && "stored" in before) {
      until = before.until;
      const expiresAt = visibleAt(before.stored, this.#snapshot.now)?.expiresAt;
      if (until === undefined && expiresAt !== undefined && !Number.isNaN(expiresAt)) until = expiresAt;
    }
    this.#partitions.set(partition, { stored, until });
    this.#changed = true;
  }

  /** Removes what is stored, readable or not. Gives whether there was a record that somebody could see, or damage. */
  remove(partition: number): boolean {
    if (this.#damage instanceof NewerDocumentError) throw this.#damage;
    if (this.#damage !== undefined) {
      // Whose partition it was cannot be told any more: all that an operator can name is the whole.
      this.#damage = undefined;
      this.#changed = true;
      return true;
    }
    const entry = this.#partitions.get(partition);
    if (entry === undefined) return false;
    this.#partitions.delete(partition);
    this.#changed = true;
    if ("raw" in entry) return true;
    return visibleAt(entry.stored, this.#snapshot.now) !== undefined;
  }

  /** Removes everything that a filter's partition matches; gives the partitions that had a record or damage. */
  removeAll(only: number | undefined): number[] {
    if (this.#damage !== undefined) {
      if (only !== undefined || this.#damage instanceof NewerDocumentError) throw this.#damage;
      this.#damage = undefined;
      this.#changed = true;
      return [];
    }
    const matching = only === undefined ? [...this.#partitions.keys()] : [only];
    return matching.filter((partition) => this.remove(partition));
  }

  /** Removes what has expired; gives the partitions. */
  removeExpired(): number[] {
    if (this.#damage !== undefined) return [];
    const expired = [...this.#partitions].flatMap(([partition, entry]) => (this.#isDead(entry) ? [partition] : []));
    for (const partition of expired) this.#partitions.delete(partition);
    if (expired.length > 0) this.#changed = true;
    return expired;
  }

  /** The object's ETag if it has been empty for so long, in milliseconds, that no write from before can still arrive. */
  abandonedFor(ageMs: number): string | undefined {
    const { etag, writtenAt, now, partitions, damage } = this.#snapshot;
    return damage === undefined && partitions.size === 0 && now - writtenAt > ageMs ? etag : undefined;
  }

  /** What is to be stored. What has expired is left behind: so its space comes back. */
  stored(): ReadonlyMap<number, PartitionEntry> {
    for (const [partition, entry] of this.#partitions) if (this.#isDead(entry)) this.#partitions.delete(partition);
    return this.#partitions;
  }

  #isDead(entry: PartitionEntry): boolean {
    return "stored" in entry && visibleAt(entry.stored, this.#snapshot.now) === undefined;
  }
}
