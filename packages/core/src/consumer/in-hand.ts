import type { LogRecord } from "../log-source.ts";
import type { RecordBatch } from "./consumer.ts";
import type { ConsumerContext } from "./consumer-context.ts";
import type { Reading } from "./reading.ts";
import type { RecordProcessor } from "./record-processor.ts";

/** Who reads, and what of it is handed out and not done: others may have a partition when nothing of it is. */
export class InHand<Transaction> {
  /** The one loop that there is, or the last that there was. */
  loop: { readonly reading: Reading; readonly inHand: LogRecord | RecordBatch | undefined } | undefined;
  /** Who works on the records of the loop, and acknowledges them. */
  processor: RecordProcessor | undefined;
  readonly #context: ConsumerContext<Transaction>;
  readonly #waiting = new Set<{ readonly partitions: readonly number[]; readonly resolve: () => void }>();

  constructor(context: ConsumerContext<Transaction>) {
    this.#context = context;
  }

  /** The reading that there is. */
  get reading(): Reading | undefined {
    return this.loop?.reading.isOver === false ? this.loop.reading : undefined;
  }

  /** Whether something of a partition is in hand. */
  has(partition: number): boolean {
    if (this.processor !== undefined) return this.processor.isWorkingOn(partition);
    if (this.reading !== undefined && this.loop?.inHand?.partition === partition) return true;
    const { session, options } = this.#context;
    return options.strategy === "manual" && session?.held(partition)?.isInHand === true;
  }

  /** Resolves when nothing of these partitions is in hand. */
  async quiet(partitions: readonly number[]): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.add({ partitions, resolve });
      this.check();
    });
  }

  /** Something may be done. */
  check(): void {
    // On the way of every record, and mostly there is nothing to wait for.
    if (this.#waiting.size === 0) return;
    for (const waiting of this.#waiting) {
      if (waiting.partitions.some((partition) => this.has(partition))) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }
}
