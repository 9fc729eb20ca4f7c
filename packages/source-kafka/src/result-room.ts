/** About what a record takes as an object, beside its bytes: without it a million empty records would count as nothing. */
const RECORD_OVERHEAD_BYTES = 250;
/** Reading holds the event loop, and others want their turn. */
const MAX_RECORDS = 2_000;

/** What one result may hold: bytes of memory and a number of records. The first record always finds room. */
export class ResultRoom {
  #bytesLeft: number;
  #recordsLeft = MAX_RECORDS;
  #isEmpty = true;

  constructor(maxBytes: number) {
    this.#bytesLeft = maxBytes;
  }

  /** Whether it is of no use to look for more. */
  get isFull(): boolean {
    return this.#bytesLeft <= 0 || this.#recordsLeft <= 0;
  }

  /** Takes in a record, if it has room for it. */
  take(bytes: number): boolean {
    const cost = bytes + RECORD_OVERHEAD_BYTES;
    if (!this.#isEmpty && (cost > this.#bytesLeft || this.#recordsLeft <= 0)) return false;
    this.#isEmpty = false;
    this.#bytesLeft -= cost;
    this.#recordsLeft -= 1;
    return true;
  }

  /** Takes in that a batch was looked at which has nothing to give. */
  pass(): void {
    this.#recordsLeft -= 1;
  }
}
