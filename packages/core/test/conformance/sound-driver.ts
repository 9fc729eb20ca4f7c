import type { StoreCapabilities } from "@tidemark/core";
import type {
  Change,
  DriverContext,
  DriverKey,
  ErrorClassification,
  ListFilter,
  ListPage,
  OffsetStoreDriver,
  OwnTransaction,
  ReadAnswer,
  UnreadableEntry,
  WriteAnswer,
  WriteContext,
} from "@tidemark/core/driver";
import {
  backendNow,
  BackendGone,
  Connection,
  ConnectionReset,
  fits,
  GaveWay,
  nameOf,
  type Row,
  type Rows,
  soundCapabilities,
  SoundTransaction,
} from "./sound-backend.ts";

const PAGE = 500;

/** What a sound driver is made of. */
export interface SoundDriverOptions {
  readonly rows: Rows;
  /** Default: the backend's. */
  readonly clock?: () => number;
  readonly connection?: Connection;
  readonly capabilities?: Partial<StoreCapabilities>;
  /** Whether what may be reclaimed is gone at that moment. Default: it stays for ever. */
  readonly reclaims?: boolean;
}

/** A driver as it should be, in a few lines, for tests that break it. */
export class SoundDriver implements OffsetStoreDriver<SoundTransaction> {
  readonly name = "sound";
  readonly capabilities: StoreCapabilities;
  readonly rows: Rows;
  readonly clock: () => number;
  readonly connection: Connection;
  /** Only where there are transactions. */
  readonly begin?: () => Promise<OwnTransaction<SoundTransaction>>;
  readonly #reclaims: boolean;

  constructor({ rows, clock = backendNow, connection = new Connection(), ...options }: SoundDriverOptions) {
    const { capabilities = {}, reclaims = false } = options;
    this.rows = rows;
    this.clock = clock;
    this.connection = connection;
    this.#reclaims = reclaims;
    this.capabilities = Object.freeze({ ...soundCapabilities, ...capabilities });
    if (this.capabilities.transactions) this.begin = () => this.#begin();
  }

  read(keys: readonly DriverKey[], { transaction }: DriverContext<SoundTransaction>): Promise<ReadAnswer> {
    return this.#carry(() => ({
      now: this.clock(),
      entries: keys.map((key) => this.#entryOf(nameOf(key), this.#rowOf(nameOf(key), transaction))),
    }));
  }

  write(changes: readonly Change[], { transaction, timed }: WriteContext<SoundTransaction>): Promise<WriteAnswer> {
    return this.#carry(() => {
      if (transaction?.isOpen === false) throw new Error("the transaction is over");
      const writtenAt = this.clock();
      const answers = changes.map((change) => fits(change, this.#rowOf(nameOf(change.key), transaction)));
      if (answers.includes(false)) return { changes: answers.map((isFit) => (isFit ? "skipped" : "conflict")) };
      for (const { key, version, value, reclaimAfter } of changes) {
        // Where nothing is said what was said before holds on: as in a backend whose entries have a time to live of their own.
        const before = reclaimAfter === undefined ? this.#rowOf(nameOf(key), transaction)?.reclaimAt : undefined;
        const reclaimAt = before ?? writtenAt + (reclaimAfter ?? Infinity);
        const row = { key, version, value: value ?? "", writtenAt, reclaimAt };
        this.put(nameOf(key), value === undefined ? undefined : row, transaction);
      }
      return { writtenAt: timed === true ? writtenAt : undefined, changes: undefined };
    });
  }

  async *list(filter: ListFilter): AsyncGenerator<ListPage, void, undefined> {
    // What is there now, in pages: each row as it is when its page comes.
    const names = await this.#carry(() =>
      [...this.rows].flatMap(([name, row]) => (matches(filter, row.key) ? name : [])),
    );
    for (let from = 0; from === 0 || from < names.length; from += PAGE) {
      yield await this.#carry(() => ({
        now: this.clock(),
        entries: names.slice(from, from + PAGE).flatMap((name) => {
          const row = this.#rowOf(name, undefined);
          return row === undefined ? [] : { key: row.key, entry: this.#entryOf(name, row) };
        }),
      }));
    }
  }

  classify(error: unknown): ErrorClassification {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof GaveWay) return { code: "CONFLICT", retryable: true, message };
    return error instanceof ConnectionReset || error instanceof BackendGone
      ? { code: "UNAVAILABLE", retryable: true, message: "the backend is gone; try again" }
      : { code: "UNKNOWN", retryable: false, message: message.replace(/\.$/, "") };
  }

  async close(): Promise<void> {}

  /** Stores a row, or removes it. */
  put(name: string, row: Row | undefined, transaction?: SoundTransaction): void {
    if (transaction !== undefined) transaction.written.set(name, row);
    else if (row === undefined) this.rows.delete(name);
    else this.rows.set(name, row);
  }

  /** Begins a transaction on these rows. Nothing holds others off meanwhile: at its end it gives way to them. */
  async #begin(): Promise<OwnTransaction<SoundTransaction>> {
    const transaction = new SoundTransaction();
    const before = new Map(this.rows);
    return {
      transaction,
      commit: async () => {
        transaction.isOpen = false;
        for (const name of transaction.written.keys()) {
          if (this.rows.get(name) !== before.get(name)) throw new GaveWay("somebody has written since");
        }
        for (const [name, row] of transaction.written) this.put(name, row);
      },
      rollback: async () => {
        transaction.isOpen = false;
      },
    };
  }

  #carry<Answer>(work: () => Answer): Promise<Answer> {
    return this.connection.carry(() => {
      if (this.rows.isGone) throw new BackendGone();
      return work();
    });
  }

  #entryOf<Found extends Row | undefined>(name: string, row: Found): Found | UnreadableEntry {
    if (row === undefined || !this.rows.unreadable.has(name)) return row;
    return { version: row.version, error: new Error("input/output error") };
  }

  #rowOf(name: string, transaction: SoundTransaction | undefined): Row | undefined {
    if (transaction?.written.has(name) === true) return transaction.written.get(name);
    const row = this.rows.get(name);
    return row === undefined || !this.#reclaims || row.reclaimAt > this.clock() ? row : undefined;
  }
}

function matches({ kind, consumer, topic, partition }: ListFilter, key: DriverKey): boolean {
  return (
    (kind === "position") === "partition" in key &&
    (consumer === undefined || consumer === key.consumer) &&
    (topic === undefined || topic === key.topic) &&
    (partition === undefined || ("partition" in key && partition === key.partition))
  );
}
