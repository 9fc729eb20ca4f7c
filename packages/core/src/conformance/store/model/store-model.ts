import type { OffsetKey } from "../../../key.ts";
import type { OffsetFilter } from "../../../offset-store.ts";
import { identity, type KeyAnswer, type KeyOperation, type KeyState, type ShownState, stepOfKey } from "./key-model.ts";

/** What the model lists. */
export interface ModelListing {
  readonly key: OffsetKey;
  readonly record: ShownState;
}

/** All keys of a store, each by the model of one. */
export class StoreModel {
  readonly #states = new Map<string, { readonly key: OffsetKey; readonly state: KeyState }>();
  #stamp = 0;
  #epoch = 0;

  /** Lets time pass: what is written from now on may show another time than before. */
  tick(): void {
    this.#stamp += 1;
  }

  /** Carries out an operation on one key. Its epochs are 1, 2, 3, ... in the order in which they begin. */
  apply(key: OffsetKey, operation: KeyOperation): KeyAnswer {
    const names = { stamp: this.#stamp, epoch: (this.#epoch += 1) };
    const { state, answer } = stepOfKey(this.#states.get(identity(key))?.state, operation, names);
    if (state === undefined) this.#states.delete(identity(key));
    else this.#states.set(identity(key), { key, state });
    return answer;
  }

  /** What is there and matches. */
  list(filter: OffsetFilter): ModelListing[] {
    return [...this.#states.values()].flatMap(({ key }) => {
      const { record } = this.apply(key, { verb: "fetch" });
      return record !== undefined && matches(key, filter) ? [{ key, record }] : [];
    });
  }

  /** The position that is stored. */
  nextOffset(key: OffsetKey): bigint | undefined {
    return this.#states.get(identity(key))?.state.nextOffset;
  }
}

/** Whether a key has every field that the filter gives. */
export function matches(key: OffsetKey, { consumer, topic, partition }: OffsetFilter): boolean {
  return (
    (consumer === undefined || consumer === key.consumer) &&
    (topic === undefined || topic === key.topic) &&
    (partition === undefined || partition === key.partition)
  );
}
