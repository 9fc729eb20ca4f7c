import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import { identity } from "./key-model.ts";

/** An epoch as the model calls it, and the number that the store gave it. */
export interface ObservedEpoch {
  readonly name: number;
  readonly number: number;
}

/** Stands for an epoch that no claim has. */
const NONE: ObservedEpoch = { name: 0, number: 0 };

/** Which numbers a store gives to the epochs of the model. Which they are is not known beforehand, only that they grow. */
export class ObservedEpochs {
  readonly #known = new Map<string, ObservedEpoch[]>();
  /** Since the record is there: one that is deleted and claimed within a step of the clock may get the same number again. */
  readonly #sinceThere = new Map<string, ObservedEpoch[]>();

  /** Takes in an answer's epoch. Fails if it had another number before, or does not grow. */
  learn(key: OffsetKey, name: number, number: number): void {
    const epoch = { name, number };
    const known = listOf(this.#known, key);
    const before = known.find((one) => one.name === name);
    if (before === undefined) known.push(epoch);
    else {
      const text = `the epoch of ${identity(key)} was ${before.number} and is ${number}, and nothing has begun one since`;
      assert.equal(number, before.number, text);
    }
    const since = listOf(this.#sinceThere, key);
    for (const earlier of since) {
      if (earlier.name >= name) continue;
      assert.ok(number > earlier.number, `the epoch of ${identity(key)} goes from ${earlier.number} to ${number}`);
    }
    since.push(epoch);
  }

  /** The record is gone. */
  gone(key: OffsetKey): void {
    this.#sinceThere.delete(identity(key));
  }

  /** One that was in an answer: 0 is the newest, 1 the one before it. */
  told(key: OffsetKey, ago: number): ObservedEpoch {
    const known = listOf(this.#known, key).toSorted((left, right) => right.name - left.name);
    const { number } = known[Math.min(ago, known.length - 1)] ?? NONE;
    return known.find((one) => one.number === number) ?? NONE;
  }
}

function listOf(lists: Map<string, ObservedEpoch[]>, key: OffsetKey): ObservedEpoch[] {
  let list = lists.get(identity(key));
  if (list === undefined) lists.set(identity(key), (list = []));
  return list;
}
