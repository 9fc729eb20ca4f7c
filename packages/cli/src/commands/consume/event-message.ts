import type { ConsumerEvent, OffsetKey } from "@tidemark/core";
import { counted } from "../../text/visible-text.ts";

/** How events are reported. */
export interface EventMessageOptions {
  /** What `--start` said, if it did: a message says so when a stored position takes precedence. */
  readonly start: string | undefined;
  /** Also what is as it should be. */
  readonly verbose: boolean;
}

/** Says what happened to a consumer, or `undefined` if it is not worth a line. */
export function eventMessage(event: ConsumerEvent, { start, verbose }: EventMessageOptions): string | undefined {
  switch (event.type) {
    case "resumed":
      if (start !== undefined) {
        return `${place(event)}: the stored position ${event.nextOffset} is used, and --start ${start} is ignored; to start over, delete the position with tidemark consumer delete`;
      }
      return verbose ? `${place(event)}: continues at ${event.nextOffset}` : undefined;
    case "started":
      return verbose ? `${place(event)}: starts at ${event.nextOffset}` : undefined;
    case "reset":
      return `${place(event)}: offset ${event.from} ${whyGone(event)}; policy ${event.policy} continues at ${event.to}${skippedText(event)}`;
    case "fetch-failed":
      return `${place(event)}: cannot be read, next attempt in ${event.retryInMs} ms: ${event.error.message}`;
    case "refresh-failed":
      return `new partitions of topic ${JSON.stringify(event.topic)} could not be looked up; trying again later: ${event.error.message}`;
    case "partition-added":
      return `${place(event)}: is new, and is read from its beginning`;
    case "flush-failed":
      return `${keysText(event.keys)} could not be written yet; trying again: ${event.error.message}`;
    case "behind":
      return `${keyText(event.key)}: the stored position ${event.record.nextOffset} is ahead of ${event.sent} and stays`;
    case "recreated":
      return `${keyText(event.key)}: expired while the store could not be reached, and was written again`;
    case "acknowledgements-full":
      return `${keyText(event.key)}: waits for record ${event.waitingFor}: the records done after it no longer fit into the store (1 KiB)`;
    case "stalled":
      return `positions could not be stored for ${event.unflushedForMs} ms: waiting for the store`;
    case "recovered":
      return "the store accepts positions again";
    case "assigned":
      return verbose ? `reads partitions ${event.partitions.join(", ")} from now on` : undefined;
    case "revoked":
      return revokedText(event);
    case "waiting":
      return `${keyText(event.key)}: held by ${event.owner ?? "another session"}; waiting until it ends`;
    case "heartbeat-failed":
      return event.leaseExpired
        ? `no heartbeat was accepted for a lease, and with --share no records are read until one is; trying again: ${event.error.message}`
        : `a heartbeat could not be written yet; trying again: ${event.error.message}`;
    case "lease-extended":
      return `the process was blocked for longer than the lease: the lease is now ${event.leaseMs} ms`;
    case "claim-failed":
      return `partitions could not be claimed yet; trying again: ${event.error.message}`;
    case "fenced":
      // The failure that ends the command says the same.
      return undefined;
  }
}

function revokedText({ topic, partitions, reason, owner }: ConsumerEvent & { readonly type: "revoked" }): string {
  const which = `topic ${JSON.stringify(topic)} ${partitions.length === 1 ? "partition" : "partitions"} ${partitions.map((number) => `"${number}"`).join(", ")}`;
  switch (reason) {
    case "rebalanced":
      return `${which}: read by another process from now on`;
    case "superseded":
      return `${which}: taken over by ${owner === undefined ? "another session" : JSON.stringify(owner)}; waiting until it ends`;
    case "reset":
      return `${which}: reset by an operator; continuing from the new position`;
    case "released":
      return `${which}: released; claiming it again`;
    case "absent":
      return `${which}: the position was deleted or has expired; starting over`;
  }
}

type ResetEvent = ConsumerEvent & { readonly type: "reset" };

function whyGone({ reason, from, latest }: ResetEvent): string {
  switch (reason) {
    case "below-log":
      return "is older than what the log keeps";
    case "beyond-log":
      // A log that was recreated while it was read may have grown past it since.
      return from > latest ? `lies beyond the log's end at ${latest}` : `lay beyond the log's end, now at ${latest}`;
    case "other-log":
      return "belongs to another log: the topic was recreated";
    case "truncated":
      return "no longer exists: the log was truncated";
  }
}

/** Below the log they are gone, or the policy passed them over; of another log nothing was read before. */
function skippedText({ reason, from, to, skipped, earliest }: ResetEvent): string {
  if (skipped === 0n) return "";
  if (reason === "below-log") {
    const stillThere = to > earliest ? ` (${earliest - from} gone, ${to - earliest} still there)` : "";
    return `, ${counted(skipped, "record")} skipped${stillThere}`;
  }
  return skipped === 1n ? ", the record before it is not read" : `, the ${skipped} records before it are not read`;
}

function place({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `topic ${JSON.stringify(topic)} partition "${partition}"`;
}

function keyText({ consumer, topic, partition }: OffsetKey): string {
  return `consumer ${JSON.stringify(consumer)} on ${place({ topic, partition })}`;
}

function keysText(keys: readonly OffsetKey[]): string {
  const first = keys[0];
  if (first === undefined) return "positions";
  return keys.length === 1 ? keyText(first) : `${keyText(first)} and ${keys.length - 1} more`;
}
