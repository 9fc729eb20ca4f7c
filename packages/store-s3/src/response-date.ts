import type { S3Client } from "@aws-sdk/client-s3";

/** The `Date` of the answers to one command; the last one's, if the client repeated it. */
export interface ObservedDate {
  /** In milliseconds; `undefined` if there was none. */
  seen(): number | undefined;
  /** In milliseconds. Throws `NoDateError` if there was none. */
  required(): number;
}

/** The answer lacks what the store's clock is read from. */
export class NoDateError extends Error {
  override readonly name = "NoDateError";
}

/** Reads the server's clock from the answers to a command, refusals included: the SDK itself does not tell it. */
export function observeDate(command: { readonly middlewareStack: unknown }): ObservedDate {
  let date: number | undefined;
  // The command's own stack, so that the caller's client stays as it is. Each command types it in its own way.
  (command.middlewareStack as S3Client["middlewareStack"]).add(
    (next) => async (input) => {
      const result = await next(input);
      const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
      date = parseDate(headers?.["date"]);
      return result;
    },
    // The innermost place: the answer passes here before the SDK makes an error of it.
    { step: "deserialize", priority: "low", name: "tidemarkObserveDate" },
  );
  return {
    seen: () => date,
    required() {
      if (date === undefined) throw new NoDateError("the answer has no Date header");
      return date;
    },
  };
}

function parseDate(header: string | undefined): number | undefined {
  const time = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(time) ? undefined : time;
}
