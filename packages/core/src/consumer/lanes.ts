import type { LogRecord } from "../log-source.ts";
import type { ConsumedPartition } from "./consumed-partition.ts";
import type { ProcessOptions } from "./consumer.ts";
import { Room } from "./room.ts";

// How many records may be handed out and not done, all partitions together.
const MAX_OUTSTANDING = 1_000;

/** A record that is handed out and not done. */
export interface Task {
  readonly partition: ConsumedPartition;
  readonly record: LogRecord;
  /** What its record took when it was handed out: a handler may give the value away. */
  readonly bytes: number;
  /** The claim's epoch when it was handed out. */
  readonly epoch: number;
  /** When it was handed out: a reset, too, ends that. */
  readonly era: object;
  attempt: number;
}

/** Records that are worked on one after the other, the first of them now. */
export interface Lane {
  readonly key: string | undefined;
  readonly tasks: Task[];
}

/** The records that are handed out and not done: which of them wait for which, and how many there may be. */
export class Lanes {
  readonly #order: NonNullable<ProcessOptions["order"]>;
  readonly #records = new Room(MAX_OUTSTANDING);
  readonly #bytes: Room;
  readonly #byKey = new Map<string, Lane>();
  readonly #ready: Lane[] = [];

  constructor(order: NonNullable<ProcessOptions["order"]>, maxBytes: number) {
    this.#order = order;
    this.#bytes = new Room(maxBytes);
  }

  /** Whether nothing is left to be done. */
  get isEmpty(): boolean {
    return this.#records.isEmpty;
  }

  /** Whether one more record of a partition may be added, where so many are read. One of each always may (contract 5.22). */
  hasRoom(partition: ConsumedPartition, partitions: number): boolean {
    return this.#records.isLeft(partition, partitions) && this.#bytes.isLeft(partition, partitions);
  }

  add(task: Task): void {
    this.#records.take(task.partition, 1);
    this.#bytes.take(task.partition, task.bytes);
    const key = this.#keyOf(task.record);
    const lane = key === undefined ? undefined : this.#byKey.get(key);
    if (lane !== undefined) {
      lane.tasks.push(task);
      return;
    }
    const created: Lane = { key, tasks: [task] };
    if (key !== undefined) this.#byKey.set(key, created);
    this.#ready.push(created);
  }

  /** Takes a lane whose first record may be worked on. */
  take(): Lane | undefined {
    return this.#ready.shift();
  }

  /** The first record of a lane is to be worked on once more, before all others. */
  again(lane: Lane): void {
    this.#ready.unshift(lane);
  }

  /** The first record of a lane is done. Gives whether there may be room now for partitions that had none. */
  done(lane: Lane): boolean {
    const task = lane.tasks.shift();
    if (task === undefined) return false;
    const { partition, bytes } = task;
    const hasRoom = [this.#records.take(partition, -1), this.#bytes.take(partition, -bytes)].includes(true);
    if (lane.tasks.length > 0) this.#ready.push(lane);
    else if (lane.key !== undefined) this.#byKey.delete(lane.key);
    return hasRoom;
  }

  #keyOf({ partition, key }: LogRecord): string | undefined {
    if (this.#order === "partition") return `${partition}`;
    if (this.#order === "none" || key === null) return undefined;
    return `${partition}:${Buffer.from(key).toString("latin1")}`;
  }
}
