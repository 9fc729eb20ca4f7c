import type { PartitionLeader } from "./cluster.ts";
import { BrokerRefusal, UNKNOWN_LEADER_EPOCH } from "./kafka-errors.ts";
import { type KafkaMark, parseMark } from "./kafka-marks.ts";
import { knownEpoch } from "./known-leaders.ts";

const NOT_COMPARED = -1;

/** Holds one position against the log that it is read from, during one call. */
export class PositionCheck {
  /** Whether the cluster was asked again since the position was refused first: the broker may have been one that is cut off. */
  isConfirmed = false;
  readonly #mark: KafkaMark | undefined;
  readonly #isUnknown: boolean;
  #settledUnder: number | undefined;

  constructor(mark: string | undefined) {
    this.#mark = mark === undefined ? {} : parseMark(mark);
    this.#isUnknown = this.#mark === undefined;
  }

  /** Whether this is another log than that of the position. */
  isOfOtherLog({ markId, epoch }: PartitionLeader): boolean {
    if (this.#isUnknown) return true;
    const { topic, epoch: formerEpoch } = this.#mark ?? {};
    const isComparable = topic !== undefined && markId !== undefined;
    if (isComparable && topic !== markId) return true;
    if (formerEpoch === undefined || knownEpoch(epoch) === undefined || formerEpoch <= epoch) return false;
    // Leaders of one topic are never counted down.
    if (isComparable) throw new BrokerRefusal(UNKNOWN_LEADER_EPOCH, "the brokers do not know this leader epoch yet");
    return true;
  }

  /** The former leader's epoch, where the log of this one is to be compared with it. */
  formerEpochFor({ epoch }: PartitionLeader): number {
    const { epoch: former } = this.#mark ?? {};
    return former === undefined || former >= epoch || this.#settledUnder === epoch ? NOT_COMPARED : former;
  }

  /** Takes in that the comparison is of no more use under this leader. */
  settle({ epoch }: PartitionLeader): void {
    this.#settledUnder = epoch;
  }
}
