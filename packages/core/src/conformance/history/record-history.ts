import type { OffsetRecord } from "../../offset-record.ts";
import type { CallOptions, OffsetFilter, OffsetStore } from "../../offset-store.ts";
import type { RecordedCall, RecordedVerb } from "./recorded-call.ts";

/** The verbs of a store whose calls are recorded. */
export type RecordingStore = Pick<OffsetStore, RecordedVerb>;

/** What the clients of a process call, and what they are answered. */
export interface HistoryRecorder {
  /** The calls so far, in the order in which they were made. */
  readonly calls: readonly RecordedCall[];
  /** The store's verbs for one client: they do what the store does, and are written down. */
  record(client: string, store: OffsetStore<unknown>): RecordingStore;
  /**
   * To be called when the store reports in its event `retry` that it repeats a call: the one before may have been carried
   * out all the same, or may be yet. Counts for those calls of the client and verb that are under way.
   */
  repeated(client: string, verb: string): void;
}

/** Makes a recorder for {@link findHistoryFault}. Several processes have one each, and put their calls together. */
export function createHistoryRecorder(): HistoryRecorder {
  const calls: RecordedCall[] = [];
  const underWay = new Set<RecordedCall>();

  async function recorded<Answer>(call: RecordedCall, answering: Promise<Answer>): Promise<Answer> {
    calls.push(call);
    underWay.add(call);
    try {
      const answer = await answering;
      call.answeredAt = process.hrtime.bigint();
      Object.assign(call, { answer });
      return answer;
    } finally {
      underWay.delete(call);
    }
  }

  return {
    calls,
    record: (client, store) => {
      const begun = () => ({ client, calledAt: process.hrtime.bigint(), repeats: 0 });
      return {
        claim: (entries, options) => recorded({ verb: "claim", entries, ...begun() }, store.claim(entries, options)),
        commit: (entries, options) => recorded({ verb: "commit", entries, ...begun() }, store.commit(entries, options)),
        fetch: (keys, options) => recorded({ verb: "fetch", keys, ...begun() }, store.fetch(keys, options)),
        reset: (entries, options) => recorded({ verb: "reset", entries, ...begun() }, store.reset(entries, options)),
        expire: (entries, options) => recorded({ verb: "expire", entries, ...begun() }, store.expire(entries, options)),
        delete: (selector, options) =>
          recorded({ verb: "delete", selector, ...begun() }, store.delete(selector, options)),
        list: async function* (filter: OffsetFilter = {}, options?: CallOptions) {
          yield* await recorded({ verb: "list", filter, ...begun() }, toArray(store.list(filter, options)));
        },
      };
    },
    repeated: (client, verb) => {
      for (const call of underWay) if (call.client === client && call.verb === verb) call.repeats += 1;
    },
  };
}

async function toArray(listing: AsyncIterable<OffsetRecord>): Promise<OffsetRecord[]> {
  const records: OffsetRecord[] = [];
  for await (const record of listing) records.push(record);
  return records;
}
