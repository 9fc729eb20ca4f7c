import type { LogSource, RecordInput } from "../../log-source.ts";

/** One log opened for one case, and what the case needs to be done to it. */
export interface OpenedSource {
  readonly source: LogSource;
  /** Creates a topic with a name that no other case uses and without retention, and returns the name. */
  createTopic(partitions: number): Promise<string>;
  /** Appends records to one partition; they can be read when it resolves. */
  produce(topic: string, partition: number, records: readonly RecordInput[]): Promise<unknown>;
  /** Removes the records before an offset. Where absent, the cases that need it are named but not run. */
  deleteRecords?(topic: string, partition: number, before: bigint): Promise<unknown>;
  /** Gives the next record of a partition this offset, leaving a gap. Where absent, the cases that need it are named but not run. */
  advanceTo?(topic: string, partition: number, offset: bigint): Promise<unknown>;
  /** Lets what is written next have another mark, as a new leader in Kafka does. Where absent, the cases that need it are named but not run. */
  changeLeader?(topic: string, partition: number): Promise<unknown>;
  /**
   * Loses the records of a partition from an offset on, as a leader that did not know them: what is written next takes their
   * offsets. Where absent, the cases that need it are named but not run.
   */
  truncate?(topic: string, partition: number, from: bigint): Promise<unknown>;
  /** Closes the source, if the case has not, and what the harness opened around it. */
  close(): Promise<void>;
}

/** A kind of log that the suite can open. */
export interface SourceHarness {
  /** What the report calls it. */
  readonly name: string;
  /** What its logs can be made to do beside being written; the cases that need more are named but not run. */
  readonly can: readonly SourceAbility[];
  /** Opens a log for one case. */
  open(): Promise<OpenedSource>;
}

/**
 * `admin`: the source has one. `marks`: its answers have marks. `deleteRecords`, `advanceTo`, `changeLeader`, `truncate`: the
 * opened source has the function of this name. `advanceFar`: its `advanceTo` takes any offset; without this one it is asked
 * for gaps of a few offsets only.
 */
export type SourceAbility =
  | "admin"
  | "marks"
  | "deleteRecords"
  | "advanceTo"
  | "advanceFar"
  | "changeLeader"
  | "truncate";
