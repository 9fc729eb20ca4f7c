/** Which records of a round's log were handed out, and which the log had lost before. */
export class LogCoverage {
  readonly #records: number;
  readonly #deliveries: readonly Uint16Array[];
  readonly #reportedLost: readonly Uint8Array[];
  readonly #starts: readonly Set<number>[];

  constructor(partitions: number, records: number) {
    this.#records = records;
    const each = <Item>(make: () => Item): Item[] => Array.from({ length: partitions }, make);
    this.#deliveries = each(() => new Uint16Array(records));
    this.#reportedLost = each(() => new Uint8Array(records));
    this.#starts = each(() => new Set([0]));
  }

  deliver(partition: number, offset: number): void {
    const deliveries = this.#deliveries[partition];
    if (deliveries?.[offset] !== undefined) deliveries[offset] += 1;
  }

  /** An event told a consumer that these are lost. */
  reportLost(partition: number, from: number, to: number): void {
    this.#reportedLost[partition]?.fill(1, Math.max(0, from), Math.max(0, to));
  }

  moveStart(partition: number, before: number): void {
    this.#starts[partition]?.add(before);
  }

  /** Whether the log ever began there. */
  wasStart(partition: number, offset: number): boolean {
    return this.#starts[partition]?.has(offset) === true;
  }

  /** Whether the log has lost all that a partition had. */
  isEmpty(partition: number): boolean {
    return this.wasStart(partition, this.#records);
  }

  /** How many records of a partition, from an offset on, have been handed out at least once. */
  deliveredFrom(partition: number, from: number): number {
    let count = 0;
    for (let offset = from; offset < this.#records; offset += 1) {
      if ((this.#deliveries[partition]?.[offset] ?? 0) > 0) count += 1;
    }
    return count;
  }

  /** How often a record was handed out. */
  get deliveries(): number {
    return this.#deliveries.reduce((sum, each) => sum + each.reduce((total, times) => total + times, 0), 0);
  }

  /** How many records nobody was given, and what is wrong with that. */
  findLost(): { readonly lost: number; readonly violations: readonly string[] } {
    let lost = 0;
    const violations: string[] = [];
    for (const [partition, deliveries] of this.#deliveries.entries()) {
      const start = Math.max(...(this.#starts[partition] ?? []));
      for (const [offset, times] of deliveries.entries()) {
        if (times > 0) continue;
        lost += 1;
        if (this.#reportedLost[partition]?.[offset] !== 1) {
          violations.push(`record ${offset} of partition ${partition} was lost: nobody was given it`);
        } else if (offset >= start) {
          violations.push(`record ${offset} of partition ${partition} was skipped while the log had it`);
        }
      }
    }
    return { lost, violations };
  }
}
