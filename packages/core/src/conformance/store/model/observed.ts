import type { OffsetRecord } from "../../../offset-record.ts";
import type { KeyAnswer, ShownState } from "./key-model.ts";

/** A store's answer to one entry, as far as it can be compared with the model's. */
export interface Observed {
  readonly status: string;
  readonly epoch?: number | undefined;
  readonly record?: OffsetRecord | undefined;
}

/** What both sides say, with no time but that there is one: what a time is only the store's clock knows. */
export function timeless(answer: Observed | KeyAnswer): Readonly<Record<string, unknown>> {
  const { record, ...rest } = answer;
  return record === undefined ? rest : { ...rest, record: timelessRecord(record) };
}

/** A record of either side, with no time but that there is one, and without its key. */
export function timelessRecord(record: OffsetRecord | ShownState): Readonly<Record<string, unknown>> {
  const { claimedAt, committedAt, updatedAt, resetFrom, ...rest } = record;
  // The model's record expires if it has a ttl: a store's must say when, and no other may.
  const expires = "expiresAt" in record ? record.expiresAt !== undefined : !("consumer" in record) && "ttl" in record;
  const { consumer: _, topic: __, partition: ___, expiresAt: ____, ...shown } = rest as Partial<OffsetRecord>;
  const time = (value: unknown): object => (value === undefined ? {} : { at: "a time" });
  return {
    ...shown,
    expires,
    claimed: time(claimedAt),
    committed: time(committedAt),
    updated: time(updatedAt),
    ...(resetFrom !== undefined && { resetFrom: { ...resetFrom, ...time(resetFrom.at) } }),
  };
}

/** The same without epochs: what number an epoch has only the store's clock knows. */
export function withoutEpochs(answer: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { epoch, record, ...rest } = answer;
  return {
    ...rest,
    ...(epoch !== undefined && { epoch: "an epoch" }),
    ...(record !== undefined && { record: withoutEpochs(record as Readonly<Record<string, unknown>>) }),
  };
}
