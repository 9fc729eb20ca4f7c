const CONTROL = /(?![\n\t])[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;
// Of a URL: all between its scheme and the last @ that ends a user's name and password.
const CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']*@/gi;

/** What a store, its client or its backend said, for a terminal: control characters are escaped, passwords in URLs hidden. */
export function visibleText(text: string): string {
  return text
    .replaceAll(CREDENTIALS, "$1***@")
    .replaceAll(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
