import { classifyConnectionError, connectionFaultOf, type ErrorClassification } from "@tidemark/core/driver";
import { NewerDocumentError } from "./offsets-document.ts";
import { NoDateError } from "./server-clock.ts";

/** The server cannot do what the store stands on. */
export class UnsupportedServerError extends Error {
  override readonly name = "UnsupportedServerError";
}

/** What was answered is not what S3 answers: a page of a proxy, for example. Whether anything was carried out is not known. */
export class ForeignAnswerError extends Error {
  override readonly name = "ForeignAnswerError";
}

/** An object would become larger than what is read back. */
export class ObjectTooLargeError extends Error {
  override readonly name = "ObjectTooLargeError";
}

/** What an error of the SDK shows of the server's answer. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  readonly Code?: string;
  readonly Region?: string;
}

/** The HTTP status of the server's answer; `undefined` if there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as ServiceError | undefined)?.$metadata?.httpStatusCode;
}

/** There is no such object. Only S3's own word says so: a bare 404 may come from anybody on the way. */
export function isMissingObject(error: unknown): boolean {
  return statusOf(error) === 404 && nameOf(error) === "NoSuchKey";
}

/** Nothing was written: the condition did not hold, or (409) another conditional write of the same key was under way. */
export function isRefused(error: unknown): boolean {
  const status = statusOf(error);
  return status === 412 || status === 409;
}

/** The request may or may not have been carried out, and trying again may help. */
export function isTransient(error: unknown): boolean {
  if (error instanceof ForeignAnswerError) return true;
  const status = statusOf(error);
  const name = nameOf(error);
  if (status === undefined) return connectionFaultOf(error)?.kind === "network" || isBrokenConnection(error);
  if (status === 404) return name !== "NoSuchBucket";
  const isAboutTime = name === "RequestTimeout" || name === "RequestTimeTooSkewed";
  return (
    (status >= 500 && status !== 501) ||
    status === 429 ||
    status === 408 ||
    status === 409 ||
    isAboutTime ||
    status < 300
  );
}

/** What the SDK throws where there are no credentials, and where who gives them does not answer. */
const NO_CREDENTIALS = new Set(["CredentialsProviderError", "TokenProviderError"]);

/** Says what an error means, for a store in this bucket. Never repeats what the SDK says: it may quote the request. */
export function classifyS3Error(error: unknown, bucket: string): ErrorClassification {
  const place = `bucket ${JSON.stringify(bucket)}`;
  if (error instanceof NewerDocumentError) {
    return unsupported(`${error.message}; upgrade @tidemark/store-s3`);
  }
  if (error instanceof UnsupportedServerError || error instanceof ObjectTooLargeError)
    return unsupported(error.message);
  if (error instanceof NoDateError) {
    return unsupported(
      `${error.message}, and the store needs the server's clock: configure the proxy to pass the header on`,
    );
  }
  if (error instanceof ForeignAnswerError) return foreign(place, error.message);
  return classifyAnswer(error, place) ?? classifyConnection(error, place);
}

/**
 * Says what an error means in a store that is open: credentials were there, and those that replace them will be once who gives them
 * answers.
 */
export function classifyOpenS3Error(error: unknown, bucket: string): ErrorClassification {
  if (!NO_CREDENTIALS.has(nameOf(error))) return classifyS3Error(error, bucket);
  return unavailable(true, "the credentials have expired, and no new ones could be had; see where they come from");
}

function classifyAnswer(error: unknown, place: string): ErrorClassification | undefined {
  const status = statusOf(error);
  const name = nameOf(error);
  const said = `the server answered ${status} ${name}`;
  if (NO_CREDENTIALS.has(name)) {
    return denied("no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile");
  }
  if (status === undefined) return undefined;
  if (name === "NoSuchBucket") return unavailable(false, `${place} does not exist; create it or check its name`);
  if (name === "InvalidBucketName") return unavailable(false, `the server rejects the name of ${place}`);
  if (status === 301 || status === 307 || name === "AuthorizationHeaderMalformed" || name === "PermanentRedirect") {
    const { $response: response, Region } = error as ServiceError;
    const region = response?.headers?.["x-amz-bucket-region"] ?? Region;
    const where = region === undefined ? "in another region" : `in the region ${JSON.stringify(region)}`;
    return unavailable(false, `${place} is ${where} (${said}); set region, or the endpoint`);
  }
  if (name === "RequestTimeTooSkewed") {
    return unavailable(true, `this machine's clock is too far off to sign requests (${said}); set the clock`);
  }
  if (status === 401 || status === 403 || DENIAL.test(name)) {
    return denied(
      `${said} for ${place}; check the credentials, and that they allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket`,
    );
  }
  if (status === 501 || status === 405) return unsupported(`${said}: it does not support the request`);
  if (status === 404) return foreign(place, "404 without S3's code for it");
  if (isTransient(error)) return unavailable(true, `${said} for ${place}; try again later`);
  return { code: "UNKNOWN", retryable: false, message: `${said} for ${place}` };
}

const DENIAL =
  /^(?:AccessDenied|AllAccessDisabled|ExpiredToken|InvalidAccessKeyId|InvalidToken|SignatureDoesNotMatch|TokenRefreshRequired)$/u;

function classifyConnection(error: unknown, place: string): ErrorClassification {
  const fault = connectionFaultOf(error);
  if (fault?.code === "ENOTFOUND") {
    return unavailable(
      true,
      `${place} cannot be reached (ENOTFOUND); check the endpoint, and set forcePathStyle if its server does not have a ` +
        "host name for each bucket",
    );
  }
  const classified = classifyConnectionError(error, place, "check http or https in the endpoint, and the certificate");
  if (classified !== undefined) return classified;
  if (isBrokenConnection(error))
    return unavailable(true, `the connection to ${place} was lost; check the endpoint, or try again`);
  if (error instanceof Error && error.message === "Region is missing") {
    return unavailable(false, "no region is set: give region, or set AWS_REGION");
  }
  return { code: "UNKNOWN", retryable: false, message: `${nameOf(error)}, see the cause` };
}

function foreign(place: string, what: string): ErrorClassification {
  return unavailable(
    true,
    `the answer for ${place} is not from S3 (${what}): check the endpoint, and the proxy if there is one`,
  );
}

function unavailable(retryable: boolean, message: string): ErrorClassification {
  return { code: "UNAVAILABLE", retryable, message };
}

function unsupported(message: string): ErrorClassification {
  return { code: "UNSUPPORTED", retryable: false, message };
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

/** What Node and the SDK say, without a code, when a connection ends in the middle of an answer. */
function isBrokenConnection(error: unknown): boolean {
  return (
    error instanceof Error && (error.name === "TimeoutError" || /^(?:socket hang up|aborted)$/u.test(error.message))
  );
}
