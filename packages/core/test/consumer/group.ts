import {
  type Consumer,
  type ConsumerEvent,
  type ConsumerOptions,
  createConsumer,
  type LogRecord,
  type OffsetStore,
  OffsetStoreError,
} from "@tidemark/core";
import { createMemoryBackend, createMemoryStore, type MemoryBackend } from "@tidemark/store-memory";
import type { MemorySource } from "@tidemark/test-support";
import { EventLog } from "../session/eventually.ts";

/** The shortest lease there is. */
export const LEASE_MS = 1_000;

/** A store of one process, that a test may cut off from the records that all share. */
export interface MemberStore {
  readonly store: OffsetStore;
  isCut: boolean;
  /** Whether it takes no heartbeats, for good. */
  refusesHeartbeats: boolean;
  /** Whether it takes no commits, for now. */
  refusesCommits: boolean;
}

/** Opens a store as each process has one: over the same records. */
export function openMemberStore(backend: MemoryBackend): MemberStore {
  const inner = createMemoryStore({ backend });
  const state: MemberStore = {
    isCut: false,
    refusesHeartbeats: false,
    refusesCommits: false,
    store: new Proxy(inner, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function" || property === "close") return value;
        return (...call: unknown[]): unknown => {
          if (property === "heartbeat" && state.refusesHeartbeats) return Promise.reject(refusal());
          const isRefused = state.isCut || (property === "commit" && state.refusesCommits);
          if (!isRefused) return Reflect.apply(value as (...all: unknown[]) => unknown, target, call);
          const error = new OffsetStoreError("the store is away", {
            ...({ code: "UNAVAILABLE", operation: "commit", store: "memory", keys: [] } as const),
          });
          if (property === "list" || property === "members") throw error;
          return Promise.reject(error);
        };
      },
    }),
  };
  return state;
}

function refusal(): OffsetStoreError {
  return new OffsetStoreError("no rights", {
    ...({ code: "PERMISSION_DENIED", operation: "heartbeat", store: "memory", keys: [], retryable: false } as const),
  });
}

/** One member of a group and all that it did. */
export interface GroupMember {
  readonly consumer: Consumer;
  readonly events: EventLog<ConsumerEvent>;
  readonly member: MemberStore;
  /** What it handled, as `partition/offset`. */
  readonly handled: string[];
  /** What it has in its hands. */
  readonly inHand: ReadonlySet<string>;
  /** Settles with the loop. */
  readonly running: Promise<void>;
}

/** Members of one consumer on one topic, in one process, over one backend. */
export class Group {
  readonly backend = createMemoryBackend();
  readonly store = createMemoryStore({ backend: this.backend });
  readonly members: GroupMember[] = [];
  readonly source: MemorySource;

  constructor(source: MemorySource) {
    this.source = source;
  }

  /** All that was handled by anybody. */
  get handled(): string[] {
    return this.members.flatMap(({ handled }) => handled);
  }

  /** A member begins, and works on records one by one. */
  async join(
    options: Partial<ConsumerOptions> = {},
    work: (record: LogRecord) => unknown = () => undefined,
    way: "loop" | "process" = "loop",
  ): Promise<GroupMember> {
    const events = new EventLog<ConsumerEvent>();
    const member = openMemberStore(this.backend);
    const consumer = await createConsumer({
      ...{ source: this.source, store: member.store, topic: "orders", consumer: "c1" },
      ...{ lease: LEASE_MS, flushInterval: 50, maxWait: 50, onEvent: events.hear },
      ...options,
    });
    const handled: string[] = [];
    const inHand = new Set<string>();
    const handle = async (record: LogRecord): Promise<void> => {
      const name = `${record.partition}/${record.offset}`;
      inHand.add(name);
      await work(record);
      inHand.delete(name);
      handled.push(name);
    };
    const loop = async (): Promise<void> => {
      for await (const record of consumer) await handle(record);
    };
    const running = way === "loop" ? loop() : consumer.process(handle);
    running.catch(() => undefined);
    const joined: GroupMember = { consumer, events, member, handled, inHand, running };
    this.members.push(joined);
    return joined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { member } of this.members) member.isCut = false;
    await Promise.allSettled(this.members.map(({ consumer }) => consumer.close()));
  }
}
