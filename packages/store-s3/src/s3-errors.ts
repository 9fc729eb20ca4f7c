import type { ErrorClassification } from "@tidemark/core/driver";
import { NewerDocumentError, UnreadableDocumentError, UnreadableEntryError } from "./offsets-document.ts";
import { NoDateError } from "./response-date.ts";

/** The server cannot do what the store stands on. */
export class UnsupportedServerError extends Error {
  override readonly name = "UnsupportedServerError";
}

/** What an error of the SDK shows of the server's answer. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  readonly Code?: string;
  readonly Region?: string;
  readonly code?: string;
}

/** The HTTP status of the server's answer; `undefined` if there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as ServiceError | undefined)?.$metadata?.httpStatusCode;
}

/** The condition of a write did not hold. */
export function isPreconditionFailed(error: unknown): boolean {
  return statusOf(error) === 412;
}

/** There is no such object; a missing bucket is something else. */
export function isMissingObject(error: unknown): boolean {
  return statusOf(error) === 404 && nameOf(error) !== "NoSuchBucket";
}

/** Another conditional write of the same key was being carried out: nothing was written by this one. */
export function isConflict(error: unknown): boolean {
  return statusOf(error) === 409;
}

/** The request was signed by a clock that is wrong. The SDK takes the server's time from the answer for the next one. */
export function isClockSkew(error: unknown): boolean {
  return nameOf(error) === "RequestTimeTooSkewed";
}

/** The request may or may not have been carried out, and trying again may help. */
export function isTransient(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) {
    const timedOut = nameOf(error) === "RequestTimeout";
    return (status >= 500 && status !== 501) || status === 429 || status === 408 || timedOut || status < 300;
  }
  return NETWORK_CODES.has(systemCodeOf(error) ?? "") || isBrokenConnection(error);
}

const NETWORK_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EADDRNOTAVAIL",
  "ERR_STREAM_PREMATURE_CLOSE",
  "HPE_INVALID_CONSTANT",
]);

/** Says what an error means, for a store in this bucket. Never repeats what the SDK says: it may quote the request. */
export function classifyS3Error(error: unknown, bucket: string): ErrorClassification {
  const place = `bucket ${JSON.stringify(bucket)}`;
  if (error instanceof UnreadableDocumentError || error instanceof UnreadableEntryError) {
    return {
      code: "CORRUPT_RECORD",
      retryable: false,
      message: `${error.message}; it is left as it is: repair it, or delete the key`,
    };
  }
  if (error instanceof NewerDocumentError) {
    return { code: "UNSUPPORTED", retryable: false, message: `${error.message}; upgrade @tidemark/store-s3` };
  }
  if (error instanceof UnsupportedServerError) return { code: "UNSUPPORTED", retryable: false, message: error.message };
  if (error instanceof NoDateError) {
    return {
      code: "UNSUPPORTED",
      retryable: false,
      message: `${error.message}, and the store has no clock but the server's: have the proxy in between pass the headers on`,
    };
  }
  return classifyAnswer(error, place) ?? classifyConnection(error, place);
}

function classifyAnswer(error: unknown, place: string): ErrorClassification | undefined {
  const status = statusOf(error);
  const name = nameOf(error);
  const said = `the server said ${status} ${name}`;
  if (name === "CredentialsProviderError" || name === "TokenProviderError") {
    return denied("no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile");
  }
  if (status === undefined) return undefined;
  if (name === "NoSuchBucket") {
    return { code: "UNAVAILABLE", retryable: false, message: `${place} does not exist; create it or check its name` };
  }
  if (name === "InvalidBucketName") {
    return { code: "UNAVAILABLE", retryable: false, message: `the server does not take ${place} for a name` };
  }
  if (status === 301 || status === 307 || name === "AuthorizationHeaderMalformed" || name === "PermanentRedirect") {
    const region =
      (error as ServiceError).$response?.headers?.["x-amz-bucket-region"] ?? (error as ServiceError).Region;
    const where = region === undefined ? "in another region" : `in the region ${JSON.stringify(region)}`;
    return {
      code: "UNAVAILABLE",
      retryable: false,
      message: `${place} is ${where} (${said}); set region, or the endpoint`,
    };
  }
  if (name === "RequestTimeTooSkewed") {
    return {
      code: "UNAVAILABLE",
      retryable: true,
      message: `this machine's clock is too far off to sign requests (${said}); set it`,
    };
  }
  if (status === 401 || status === 403 || DENIALS.has(name)) {
    return denied(
      `${said} for ${place}; check the credentials, and that they allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket`,
    );
  }
  if (status === 501 || status === 405) {
    return { code: "UNSUPPORTED", retryable: false, message: `${said}: it cannot do what was asked` };
  }
  if (isTransient(error) || isConflict(error)) {
    return { code: "UNAVAILABLE", retryable: true, message: `${said} for ${place}; try again later` };
  }
  return { code: "UNKNOWN", retryable: false, message: `${said} for ${place}` };
}

const DENIALS: ReadonlySet<string> = new Set([
  "AccessDenied",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "InvalidToken",
  "TokenRefreshRequired",
  "AllAccessDisabled",
]);

function classifyConnection(error: unknown, place: string): ErrorClassification {
  const code = systemCodeOf(error);
  if (code !== undefined && /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|ERR_SSL_|EPROTO$)/u.test(code)) {
    return {
      code: "UNAVAILABLE",
      retryable: false,
      message: `the endpoint and this process do not agree on TLS (${code}); check http or https, and the certificate`,
    };
  }
  if (isTransient(error)) {
    const why = code ?? "the connection broke";
    const advice =
      code === "ENOTFOUND"
        ? "check the endpoint, and set forcePathStyle if its server does not have a host name for each bucket"
        : "check the endpoint, or try again";
    return {
      code: "UNAVAILABLE",
      retryable: true,
      message: `${place} cannot be reached (${why}); ${advice}`,
    };
  }
  if (error instanceof Error && error.message === "Region is missing") {
    return { code: "UNAVAILABLE", retryable: false, message: "no region is set: give region, or set AWS_REGION" };
  }
  return { code: "UNKNOWN", retryable: false, message: `${nameOf(error)}, see the cause` };
}

function denied(message: string): ErrorClassification {
  return { code: "PERMISSION_DENIED", retryable: false, message };
}

/** The server's own code where there is one; it is a word, never a sentence. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return "something that is no error";
  const name = (error as ServiceError).Code ?? error.name;
  return /^[\w.]{1,64}$/u.test(name) ? name : "an unknown error";
}

function systemCodeOf(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 4; cause = cause.cause, depth += 1) {
    const { code } = cause as ServiceError;
    if (typeof code === "string") return code;
    // Happy eyeballs: one error for each address that was tried.
    if (cause instanceof AggregateError) return systemCodeOf(cause.errors[0]);
  }
  return undefined;
}

/** What Node and the SDK say, without a code, when a connection ends in the middle of an answer. */
function isBrokenConnection(error: unknown): boolean {
  return (
    error instanceof Error && (error.name === "TimeoutError" || /^(?:socket hang up|aborted)$/u.test(error.message))
  );
}
