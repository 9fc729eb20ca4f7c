/** What a call is about, and who may end it. */
export interface LogCall {
  readonly topic?: string;
  readonly partition?: number;
  readonly signal?: AbortSignal | undefined;
}
