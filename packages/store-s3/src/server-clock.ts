import type { S3Client } from "@aws-sdk/client-s3";

/** The step of S3's clock: `Last-Modified` and `Date` are whole seconds, rounded down. */
const CLOCK_STEP_MS = 1_000;

/** The answer lacks what the store's clock is read from. */
export class NoDateError extends Error {
  override readonly name = "NoDateError";
}

/** The server's clock in the answer to one command; in the last one's, if the client repeated it. Milliseconds. */
export interface ObservedTime {
  /** A time that is not before the `Last-Modified` of what was written; `undefined` if the answer has no `Date`. */
  writtenAt(): number | undefined;
  /**
   * A time that has passed, for every client that asks later too. To be compared with the `Last-Modified` of objects: what
   * was written within a second counts as written at its beginning. Throws `NoDateError` if the answer has no `Date`.
   */
  now(lastModified?: number): number;
  /** By how much `now` may be later than the server's look at the object, at most: the date is written with the answer. */
  slackMs(): number;
}

/** The server's clock, as its answers show it: the SDK itself does not offer it. */
export class ServerClock {
  /** By how much the clock that answers was seen to lag behind the one that stamps objects; some keep a `Date` for a second. */
  #lagMs = 0;
  /** The latest `Last-Modified` of all that was read: by then at least it was so late. */
  #latest = 0;

  /** Reads the clock from the answers to a command, refusals included. */
  observe(command: { readonly middlewareStack: unknown }): ObservedTime {
    const before = this.#latest;
    let date: number | undefined;
    let tookMs = 0;
    // The command's own stack, so that the caller's client stays as it is. Each command types it in its own way.
    (command.middlewareStack as S3Client["middlewareStack"]).add(
      (next) => async (input) => {
        const startedAt = performance.now();
        const result = await next(input);
        tookMs = performance.now() - startedAt;
        const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
        const time = Date.parse(headers?.["date"] ?? "");
        date = Number.isNaN(time) ? undefined : time;
        return result;
      },
      // The innermost place: the answer passes here before the SDK makes an error of it.
      { step: "deserialize", priority: "low", name: "tidemarkObserveTime" },
    );
    return {
      writtenAt: () => date && date + this.#lagMs,
      now: (lastModified = 0) => {
        if (date === undefined) throw new NoDateError("the answer has no Date header");
        this.#lagMs = Math.min(CLOCK_STEP_MS, Math.max(this.#lagMs, lastModified - date));
        this.#latest = Math.max(this.#latest, lastModified);
        // Of a clock that was set back since nothing is believed but its lag.
        return Math.max(date, Math.min(Math.max(before, lastModified), date + CLOCK_STEP_MS)) - CLOCK_STEP_MS;
      },
      slackMs: () => tookMs,
    };
  }
}
