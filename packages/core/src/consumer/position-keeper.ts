import type { RecordPosition } from "../session/offset-session.ts";

/** What a loop needs of whoever keeps the positions: a session, or nobody. */
export interface PositionKeeper {
  position(partition: number): bigint | undefined;
  deliver(record: RecordPosition): void;
  reposition(partition: number, nextOffset: bigint): void;
}

/** Remembers in memory where reading goes on, for a consumer with strategy `none`: a record handed out is behind it. */
export class UntrackedPositions implements PositionKeeper {
  readonly #positions = new Map<number, bigint>();
  readonly #delivered = new Map<number, bigint>();

  position(partition: number): bigint | undefined {
    const delivered = this.#delivered.get(partition);
    return delivered === undefined ? this.#positions.get(partition) : delivered + 1n;
  }

  deliver(record: RecordPosition): void {
    this.#delivered.set(record.partition, record.offset);
  }

  reposition(partition: number, nextOffset: bigint): void {
    this.#delivered.delete(partition);
    this.#positions.set(partition, nextOffset);
  }
}
