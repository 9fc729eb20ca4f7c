import type { OffsetStore } from "../offset-store.ts";
import type { OffsetSessionEvent } from "./offset-session.ts";
import type { ResolvedSessionOptions } from "./session-options.ts";

/** What all parts of a session work with. */
export interface SessionContext {
  readonly store: OffsetStore<never>;
  readonly consumer: string;
  readonly topic: string;
  /** The session's name among those that share the topic. */
  readonly member: string;
  readonly options: ResolvedSessionOptions;
  readonly emit: (event: OffsetSessionEvent) => void;
}
