import { UsageError } from "../failure/usage-error.ts";

/** Gives a URL's scheme, lower case and without the colon. Messages never repeat the URL: it may hold a password. */
export function schemeOf(url: string, what: "store" | "log", usage: string): string {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):/i.exec(url) ?? [];
  if (scheme === undefined) {
    throw new UsageError(`the ${what} must be a URL that begins with a scheme: ${usage}`);
  }
  return scheme.toLowerCase();
}
