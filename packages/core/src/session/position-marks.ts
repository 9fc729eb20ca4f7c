/** Which log a partition's positions belong to: each that of the record before it. */
export class PositionMarks {
  // By the first record that each belongs to, ascending.
  #marks: { readonly from: bigint; readonly mark: string | undefined }[] = [];
  #before: string | undefined;
  // The mark of the record handed out last.
  #last: string | undefined;

  constructor(mark: string | undefined) {
    this.#before = mark;
    this.#last = mark;
  }

  /** A record is handed out. */
  note(offset: bigint, mark: string | undefined): void {
    if (mark === this.#last) return;
    this.#last = mark;
    this.#marks.push({ from: offset, mark });
  }

  /** The mark of a position. */
  at(position: bigint): string | undefined {
    const last = this.#marks.findLast(({ from }) => from < position);
    return last === undefined ? this.#before : last.mark;
  }

  /** A position is durable: of the marks before it only the last can still be needed. */
  settle(position: bigint): void {
    const last = this.#marks.findLastIndex(({ from }) => from < position);
    if (last < 0) return;
    this.#before = this.#marks[last]?.mark;
    this.#marks = this.#marks.slice(last + 1);
  }
}
