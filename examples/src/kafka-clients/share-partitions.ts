import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { type OffsetSession, type OffsetStore, openOffsetSession } from "@tidemark/core";

const STALLED_LOOK_MS = 100;

/** What is shared, and how it is read. */
export interface SharePartitionsOptions<Message> {
  readonly store: OffsetStore<never>;
  readonly consumer: string;
  readonly topic: string;
  /** All of the topic's. */
  readonly partitions: readonly number[];
  /** Milliseconds from a commit to its flush: what comes again after a crash. Default 3,000. */
  readonly flushInterval?: number | undefined;
  /** Milliseconds without a heartbeat after which others read on. Default 10,000. */
  readonly lease?: number | undefined;
  readonly signal: AbortSignal;
  /** Reads the session's partitions from their positions on, until the signal. */
  readonly read: (session: OffsetSession<never>, signal: AbortSignal) => AsyncIterable<Message>;
  /** Works on a message and commits it. */
  readonly handle: (message: Message, session: OffsetSession<never>) => Promise<void> | void;
}

/** Divides the partitions with all processes that run this under the same name. Begins to read anew when they change. */
export async function sharePartitions<Message>(options: SharePartitionsOptions<Message>): Promise<void> {
  const { read, handle, signal, ...group } = options;
  // Ends the reading under way: its partitions change.
  let changed = new AbortController();
  // Settles when what is in hand is done.
  let reading: Promise<void> = Promise.resolve();
  // Settles when the partitions that go to others are released.
  let released = Promise.withResolvers<void>();
  released.resolve();
  const session = await openOffsetSession({
    ...group,
    sharing: "balanced",
    signal,
    onAssigned: () => changed.abort(),
    async onRevoked(_partitions, { reason }) {
      changed.abort();
      if (reason !== "rebalanced") return;
      released = Promise.withResolvers();
      await reading.catch(() => undefined);
    },
    onEvent({ type }) {
      if (type === "revoked") released.resolve();
    },
  });
  const readOn = async (own: AbortSignal): Promise<void> => {
    for await (const message of read(session, own)) {
      // The store is away, and others may have the partitions by now: then this reading ends.
      while (session.isStalled && !own.aborted) await pause(STALLED_LOOK_MS);
      if (own.aborted) return;
      await handle(message, session);
    }
  };
  try {
    while (!signal.aborted) {
      await released.promise;
      changed = new AbortController();
      const own = AbortSignal.any([signal, changed.signal]);
      reading = session.partitions.length > 0 ? readOn(own) : once(own, "abort").then(() => undefined);
      await reading;
    }
  } finally {
    // The last flush; the others may have the partitions.
    await session.close();
  }
}
