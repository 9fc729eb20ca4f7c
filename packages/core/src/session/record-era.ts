/**
 * The time in which records of a partition were handed out: from its claim, or from a reset, to the next. An acknowledgement
 * of another era is of a record that is gone, or that another consumer is working on by now.
 */
export class Era {
  /** The session that handed the records out. */
  readonly session: object;

  constructor(session: object) {
    this.session = session;
  }
}

// oxlint-disable-next-line no-extraneous-class -- its constructor is how a private field gets onto an object that is there
class Itself {
  constructor(record: object) {
    return record;
  }
}

/**
 * Keeps the era on the record itself, in a private field that no other code sees. A `WeakMap` takes 600 ns for each record
 * and stops the process for 100 ms when it grows to a million; this takes 20 ns.
 */
class StampedRecord extends Itself {
  #era: Era;

  private constructor(record: object, era: Era) {
    super(record);
    this.#era = era;
  }

  static stamp(record: object, era: Era): void {
    if (#era in record) record.#era = era;
    else void new StampedRecord(record, era);
  }

  static eraOf(record: object): Era | undefined {
    return #era in record ? record.#era : undefined;
  }
}

/** Notes in which era a record is handed out. */
export const stamp: (record: object, era: Era) => void = StampedRecord.stamp;

/** In which era a record was handed out; `undefined` for an object that never was. */
export const eraOf: (record: object) => Era | undefined = StampedRecord.eraOf;
