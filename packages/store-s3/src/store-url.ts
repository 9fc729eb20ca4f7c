import type { StoreUrlOpener } from "@tidemark/core";
import { openS3Store } from "./open-s3-store.ts";

const USAGE = "s3://BUCKET/PREFIX";

/**
 * Opens `s3://BUCKET/PREFIX`, with `?endpoint=http://127.0.0.1:9000&region=eu-central-1&forcePathStyle=true` where that is
 * wanted. Credentials come from the SDK's own chain and never from the URL.
 */
export const storeUrl: StoreUrlOpener = Object.freeze({
  schemes: Object.freeze(["s3"]),
  usage: USAGE,
  async open(url, options = {}) {
    return openS3Store({ ...options, ...parse(url) });
  },
} satisfies StoreUrlOpener);

interface Place {
  bucket: string;
  prefix?: string;
  endpoint?: string;
  region?: string;
  forcePathStyle?: boolean;
}

function parse(url: string): Place {
  const match = /^s3:\/\/(?<bucket>[^/?#]*)(?:\/(?<prefix>[^?#]*))?(?:\?(?<query>[^#]*))?$/su.exec(url);
  const bucket = match?.groups?.["bucket"] ?? "";
  // Nothing is repeated: what stands before the @ is a secret. With a slash or a question mark in it, its end is no part of this.
  if (bucket.includes("@") || (bucket.includes(":") && url.includes("@"))) {
    throw new TypeError(
      "the URL must not carry credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    );
  }
  if (match === null || bucket === "") throw new TypeError(`the URL names no bucket: write ${USAGE}`);
  const place: Place = { bucket: decode(bucket) };
  const prefix = decode(match.groups?.["prefix"] ?? "");
  if (prefix !== "") place.prefix = prefix;
  for (const [name, value] of new URLSearchParams(match.groups?.["query"] ?? "")) setOption(place, name, value);
  return place;
}

function setOption(place: Place, name: string, value: string): void {
  if (/key|secret|token|password|credential/iu.test(name)) {
    throw new TypeError(
      `the URL must not carry credentials (${name}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE`,
    );
  }
  if (name === "endpoint" || name === "region") place[name] = value;
  else if (name === "forcePathStyle") {
    if (value !== "true" && value !== "false") throw new TypeError("forcePathStyle must be true or false");
    place.forcePathStyle = value === "true";
  } else {
    throw new TypeError(
      `the URL has the unknown option ${JSON.stringify(name)}; known: endpoint, region, forcePathStyle`,
    );
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError("the URL has a % that is not an escape: write it as %25");
  }
}
