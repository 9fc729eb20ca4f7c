import { OffsetOutOfRangeError, type OffsetResetContext, type OffsetResetPolicy } from "@tidemark/core";

const policy: OffsetResetPolicy = Object.freeze({ name: "none", timestamp: refuse });

/**
 * Never chooses: the consumer rejects with an `OffsetOutOfRangeError` that carries the offset asked for and the log's
 * bounds, and a person decides. It gives no position to start at either: set `start` too.
 */
export function none(): OffsetResetPolicy {
  return policy;
}

function refuse(context: OffsetResetContext): never {
  const { topic, partition, requested, earliest, latest, reason } = context;
  const detail =
    reason === "start"
      ? "no position is stored, and reset policy none never chooses one: give the consumer a start, or set its position"
      : "reset policy none never chooses another: set the consumer's position, or give it another policy";
  throw new OffsetOutOfRangeError({ topic, partition, requested, earliest, latest, detail });
}
