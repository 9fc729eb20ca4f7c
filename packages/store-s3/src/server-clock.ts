import type { S3Client } from "@aws-sdk/client-s3";

/** The step of S3's clock: `Last-Modified` and `Date` are whole seconds, rounded down. */
export const CLOCK_STEP_MS = 1_000;

/** The server's clock in the answer to one command; in the last one's, if the client repeated it. Milliseconds. */
export interface ObservedClock {
  /** What the answer has in its `Date`; `undefined` if there is none. */
  date(): number | undefined;
  /**
   * A time that had certainly passed when the server looked at the object, with which an object's `Last-Modified` can be
   * compared: one that was written in the same second is not in its past. Throws `NoDateError` if there is no `Date`.
   */
  now(): number;
}

/** The answer lacks what the store's clock is read from. */
export class NoDateError extends Error {
  override readonly name = "NoDateError";
}

/** Reads the server's clock from the answers to a command, refusals included: the SDK itself does not tell it. */
export function observeClock(command: { readonly middlewareStack: unknown }): ObservedClock {
  let date: number | undefined;
  let tookMs = 0;
  // The command's own stack, so that the caller's client stays as it is. Each command types it in its own way.
  (command.middlewareStack as S3Client["middlewareStack"]).add(
    (next) => async (input) => {
      const startedAt = performance.now();
      const result = await next(input);
      tookMs = performance.now() - startedAt;
      const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
      date = parseDate(headers?.["date"]);
      return result;
    },
    // The innermost place: the answer passes here before the SDK makes an error of it.
    { step: "deserialize", priority: "low", name: "tidemarkObserveClock" },
  );
  return {
    date: () => date,
    now() {
      if (date === undefined) throw new NoDateError("the answer has no Date header");
      // The server writes the date while it answers, after it has looked: at most as long as the request took.
      return Math.floor(date - CLOCK_STEP_MS - tookMs);
    },
  };
}

function parseDate(header: string | undefined): number | undefined {
  const time = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(time) ? undefined : time;
}
