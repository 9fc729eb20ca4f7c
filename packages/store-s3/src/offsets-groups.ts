import type { GroupName, ObjectKeys } from "./object-keys.ts";
import { OffsetsGroup } from "./offsets-group.ts";
import type { S3Objects } from "./s3-objects.ts";

/** How many groups a store keeps in mind. One that it has forgotten costs one more read. */
const MAX_GROUPS = 1_000;

/** The groups that a store has to do with; of the idle ones, those used last. */
export class OffsetsGroups {
  readonly #objects: S3Objects;
  readonly #keys: ObjectKeys;
  readonly #groups = new Map<string, OffsetsGroup>();

  constructor(objects: S3Objects, keys: ObjectKeys) {
    this.#objects = objects;
    this.#keys = keys;
  }

  /** The group of that name: always the same one while it has work to do. */
  of(name: GroupName): OffsetsGroup {
    const key = this.#keys.keyOf(name);
    const group = this.#groups.get(key) ?? new OffsetsGroup(this.#objects, key);
    // A map remembers the order of insertion: the first is the one that was not used for longest.
    this.#groups.delete(key);
    this.#groups.set(key, group);
    if (this.#groups.size > MAX_GROUPS) this.#forgetOne(group);
    return group;
  }

  #forgetOne(kept: OffsetsGroup): void {
    for (const [key, group] of this.#groups) {
      if (group === kept || !group.isIdle) continue;
      this.#groups.delete(key);
      return;
    }
  }
}
