import { type Change, type ChangeAnswer, Pace } from "@tidemark/core/driver";
import {
  type DamagedEntry,
  type DocumentEntry,
  type EntryName,
  entryNameOf,
  makeEntry,
  NewerDocumentError,
  type Stamp,
} from "./offsets-document.ts";
import type { ObjectState } from "./object-state.ts";

/** What an object is to become: changes are compared with it one by one, then it is stored whole or not at all. */
export class ObjectDraft {
  /** Of all that the changes write; set once the draft is stored. */
  readonly stamp: Stamp = { time: undefined };
  readonly entries: Map<EntryName, DocumentEntry | DamagedEntry>;
  /** Whether there is something to store. */
  isChanged = false;
  /** Whether a change did not fit what is stored. */
  isRefused = false;
  #damage: ObjectState["damage"];

  constructor({ entries, damage }: ObjectState) {
    this.entries = new Map(entries);
    this.#damage = damage;
  }

  /** Takes the changes of one call, and gives the answers to them once the draft is stored; `undefined`: all are written. */
  async take(changes: readonly Change[]): Promise<ChangeAnswer[] | undefined> {
    const pace = new Pace();
    let answers: ChangeAnswer[] | undefined;
    for (const [at, change] of changes.entries()) {
      const rest = pace.step();
      if (rest !== undefined) await rest;
      const answer = this.#takeOne(change);
      if (answer === "written") continue;
      this.isRefused = true;
      (answers ??= changes.map(() => "written"))[at] = answer;
    }
    return answers;
  }

  #takeOne({ key, expected, value, version, reclaimAfter }: Change): ChangeAnswer {
    const isByKeyAlone = expected === "any";
    if (this.#damage !== undefined) {
      if (!isByKeyAlone || this.#damage instanceof NewerDocumentError) return { status: "failed", error: this.#damage };
      // Whose entries they were is not known any more: all that can be named is the whole.
      this.#damage = undefined;
      this.isChanged = true;
    }
    const name = entryNameOf(key);
    const entry = this.entries.get(name);
    const stored = entry === undefined ? null : "version" in entry ? entry.version : undefined;
    if (!isByKeyAlone && (stored === undefined || !expected.includes(stored))) return "conflict";
    if (value !== undefined) {
      const never = reclaimAfter ?? undefined;
      this.entries.set(name, makeEntry(name, { version, value, reclaimAfter: never }, this.stamp));
      this.isChanged = true;
    } else if (this.entries.delete(name)) this.isChanged = true;
    return "written";
  }
}
