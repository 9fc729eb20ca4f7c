/** What a call is about, and who may end it. */
export interface LogCall {
  readonly topic?: string;
  readonly partition?: number;
  /** How much of what the call writes is written already, where it takes more than one batch. */
  readonly written?: { readonly records: number; readonly of: number };
  readonly signal?: AbortSignal | undefined;
}
