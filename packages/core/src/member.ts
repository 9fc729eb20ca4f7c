/**
 * The key of one session of a consumer on a topic: its member record shows that it is alive. The group's own record is
 * the member `""`.
 */
export interface MemberKey {
  readonly consumer: string;
  readonly topic: string;
  /** 1 to 255 UTF-8 bytes; a random name, new for each session. */
  readonly member: string;
}

/** How the sessions of one consumer divide a topic. */
export type SharingMode = "balanced" | "standby" | "takeover";

/** Which process a member runs in, so that others on the same machine see at once that it has ended. */
export interface ProcessIdentity {
  /** The boot of the machine: another number after each start. */
  readonly bootId: string;
  /** Within which numbers of processes are unique: containers have their own. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** When the process began, in the kernel's own unit: numbers are used again, this is not. */
  readonly startTime: string;
}

/** One heartbeat of a member: the content of its record. */
export interface MemberEntry {
  readonly key: MemberKey;
  readonly mode: SharingMode;
  /** Milliseconds without a heartbeat after which others may take what the member holds. */
  readonly lease: number;
  /** As in a claim: a human-readable name, information only. */
  readonly owner: string;
  /** How many partitions the member holds. */
  readonly held: number;
  /** Omitted: the member counts as ended only when it is silent. */
  readonly process?: ProcessIdentity | undefined;
  /** Of two sessions with one name, an `instance`, the one with the higher number is the newer. Omitted: the name is of one session alone. */
  readonly generation?: number | undefined;
}

/** A member as others see it. Times are by the store's own clock. */
export interface MemberRecord extends MemberKey {
  readonly mode: SharingMode;
  readonly lease: number;
  readonly owner: string;
  readonly held: number;
  /** When the last heartbeat was written. */
  readonly heardAt: Date;
  /** Whether the member counts as alive; unknown counts as alive (contract 8.2). */
  readonly isLiving: boolean;
  /** As in its last heartbeat. */
  readonly generation: number | undefined;
}

/** Which members: those that match every field given, exactly. */
export interface MemberFilter {
  readonly consumer?: string | undefined;
  readonly topic?: string | undefined;
}

/** What the sessions of one consumer on a topic agree on when the first of them begins. */
export interface GroupEntry {
  readonly consumer: string;
  readonly topic: string;
  /** How many partitions the topic has. */
  readonly partitions: number;
  /** Milliseconds that the agreement lives unless it is asked for again. Omitted: keeps what it has (at first never expires). `null`: never. */
  readonly ttl?: number | null | undefined;
}

/** What the first session of a consumer on a topic stored. */
export interface GroupRecord {
  /**
   * The number of partitions of the topic at that time: a later one is read from its beginning, whichever member claims
   * it.
   */
  readonly partitions: number;
}
