import { assert } from "../assert.ts";
import type { OffsetResetPolicy } from "../../offset-reset-policy.ts";
import { askOffset, askTimestamp, contextOf, simulateReset } from "./simulate-reset.ts";
import {
  type FailedFetch,
  failedFetches,
  listOffset,
  noFetch,
  type SimulatedLog,
  simulatedLogs,
} from "./simulated-log.ts";

/** One thing that every reset policy must do. */
export interface OffsetResetPolicyCase {
  /** Stable: reports and lists of known deviations name it. */
  readonly id: string;
  /** The clause of `docs/contract.md` that the case proves, for example `"6.3"`. */
  readonly clause: string;
  /** A sentence that is true of a policy that keeps the contract. */
  readonly title: string;
  /** Throws an `AssertionError` if the policy does not do it. */
  run(create: () => OffsetResetPolicy): void;
}

const situations = simulatedLogs.flatMap((log) => failedFetches(log).map((failed) => ({ log, failed })));

/** The cases of {@link testOffsetResetPolicy}, as data. */
export const offsetResetPolicyCases: readonly OffsetResetPolicyCase[] = [
  {
    id: "name",
    clause: "6.6",
    title: "a policy has a name for messages and events, the same each time it is made",
    run(create) {
      const { name } = create();
      assert.ok(typeof name === "string" && name !== "", `name is ${JSON.stringify(name)}, not a non-empty string`);
      assert.equal(create().name, name);
    },
  },
  {
    id: "timestamp-answers",
    clause: "6.6",
    title: "timestamp() returns a whole number from -2 up, not a promise, or refuses with OffsetOutOfRangeError",
    run(create) {
      const policy = create();
      for (const { log, failed } of situations) {
        askTimestamp(policy, contextOf(log, failed));
        askTimestamp(policy, contextOf(log, noFetch));
      }
    },
  },
  {
    id: "timestamp-repeatable",
    clause: "6.6",
    title: "timestamp() asked the same again answers the same; a time may only advance with the clock",
    run(create) {
      const policy = create();
      for (const { log, failed } of situations) {
        const context = contextOf(log, failed);
        const first = askTimestamp(policy, context);
        const second = askTimestamp(policy, context);
        const isTime = first !== undefined && second !== undefined && first >= 0;
        assert.ok(isTime ? second >= first : second === first, `timestamp() answered ${first}, then ${second}`);
      }
    },
  },
  {
    id: "adjust-offset-pure",
    clause: "6.6",
    title: "adjustOffset() is a pure function of its two arguments, and answers with a bigint",
    run(create) {
      const policy = create();
      for (const { log, failed } of situations) {
        for (const answer of [log.earliest, log.latest]) {
          const { lastOffsetFetched: last } = failed;
          const first = askOffset(policy, last, answer);
          assert.equal(askOffset(policy, last, answer), first, `adjustOffset(${last}n, ${answer}n) changed`);
          assert.equal(askOffset(create(), last, answer), first, `adjustOffset(${last}n, ${answer}n) differs`);
        }
      }
    },
  },
  {
    id: "ends-in-log",
    clause: "6.3",
    title:
      "after an offset that the log refused the consumer is back in the log within five attempts, or gets a refusal",
    run(create) {
      const policy = create();
      for (const { log, failed } of situations) simulateReset(policy, log, failed);
    },
  },
  {
    id: "starts-in-log",
    clause: "6.3",
    title: "as a start the policy gives a position in the log within five attempts, or a refusal",
    run(create) {
      const policy = create();
      for (const log of simulatedLogs) simulateReset(policy, log, noFetch);
    },
  },
  {
    id: "refusal-carries-bounds",
    clause: "6.6",
    title: "a refusal carries the offset asked for and the bounds of the log",
    run(create) {
      const policy = create();
      for (const { log, failed } of situations) {
        const context = contextOf(log, failed);
        if (askTimestamp(policy, context) !== undefined) continue;
        assert.throws(() => policy.timestamp(context), {
          topic: context.topic,
          partition: context.partition,
          requested: failed.requested,
          earliest: log.earliest,
          latest: log.latest,
        });
      }
    },
  },
  {
    id: "partitions-apart",
    clause: "6.7",
    title: "one policy serves many partitions: its answer for one does not depend on that for another",
    run(create) {
      const shared = create();
      for (const { log, failed } of situations) {
        const alone = offsetAfter(create(), log, failed);
        for (const other of situations) offsetAfter(shared, other.log, other.failed);
        assert.equal(offsetAfter(shared, log, failed), alone, `${log.name}: other partitions changed the answer`);
      }
    },
  },
];

function offsetAfter(policy: OffsetResetPolicy, log: SimulatedLog, failed: FailedFetch): bigint | undefined {
  const timestamp = askTimestamp(policy, contextOf(log, failed));
  return timestamp === undefined ? undefined : askOffset(policy, failed.lastOffsetFetched, listOffset(log, timestamp));
}
