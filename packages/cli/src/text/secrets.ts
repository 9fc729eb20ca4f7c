const HIDDEN = "***";
/** A shorter one would be found inside of words. */
const SHORTEST = 3;
/** What the command says around a message. */
const OWN_WORDS = "tidemark: help: https://github.com/tidemark-js/tidemark/blob/main/docs/errors.md";

// Of a URL somewhere in a text: its scheme, and all up to the last @ that could end a user's name and password.
const CREDENTIALS = /([a-z][a-z0-9+.-]*):\/\/([^\s"']*)@/gi;
const SECRET_OPTION = /[?&][^=&\s]*(?:pass|secret|token)[^=&\s]*=([^&#\s"']+)/gi;
// Where a secret comes from is none: a file of it, or a command that prints it.
const SECRET_FIELD = /^(?!.*(?:file|command)$).*(?:pass|secret|token)/i;
// Of a text that is a URL as a whole, or an option with one: there a password may have a space, and quotation marks.
const WHOLE_CREDENTIALS = /^(?:--[^=]*=)?([a-z][a-z0-9+.-]*):\/\/(.*)@/is;
const WHOLE_OPTION = /[?&][^=&]*(?:pass|secret|token)[^=&]*=([^&#]+)/gi;
// A password's own slash is escaped, as it should be. One that is not is found as what was learnt before.
const PLAIN_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']*@/gi;

const learnt = new Set<string>();

/** Learns the passwords of the URLs in a text: from now on {@link withoutSecrets} leaves them out. */
export function learnSecrets(text: string | undefined): void {
  if (text === undefined) return;
  for (const [, scheme = "", user = ""] of text.matchAll(CREDENTIALS)) {
    const colon = user.indexOf(":");
    if (colon >= 0) learn(user.slice(colon + 1), scheme);
  }
  for (const [, value = ""] of text.matchAll(SECRET_OPTION)) learn(value, "");
}

/** Learns the passwords of a text that is one URL, or an option with one. */
export function learnUrl(text: string | undefined): void {
  const [, scheme = "", user = ""] = WHOLE_CREDENTIALS.exec(text ?? "") ?? [];
  if (user.includes(":")) learn(user.slice(user.indexOf(":") + 1), scheme);
  if (text?.includes("://") === true) for (const [, value = ""] of text.matchAll(WHOLE_OPTION)) learn(value, "");
}

/** Learns the passwords that are values of fields, `logOptions.kafka.password` for one, however deep they lie, and those of URLs. */
export function learnSecretFields(content: unknown): void {
  if (typeof content !== "object" || content === null) return;
  for (const [name, value] of Object.entries(content)) {
    if (typeof value !== "string") learnSecretFields(value);
    else if (SECRET_FIELD.test(name)) learn(value, "");
    else learnUrl(value);
  }
}

/**
 * Text without the passwords of URLs. What is printed comes from many: a store of another package, its client, Node itself,
 * and any of them may repeat what it was given.
 */
export function withoutSecrets(text: string): string {
  let shown = text.replaceAll(PLAIN_CREDENTIALS, `$1${HIDDEN}@`);
  // One may be a part of another.
  for (const secret of [...learnt].sort((one, other) => other.length - one.length))
    shown = shown.replaceAll(secret, HIDDEN);
  return shown;
}

function learn(secret: string, scheme: string): void {
  const plain = decoded(secret);
  // As it is in a message that quotes what it names, too.
  const quoted = JSON.stringify(plain).slice(1, -1);
  for (const form of [secret, plain, encodeURIComponent(plain), quoted]) {
    // A password like the scheme is guessed anyway, and is part of what is to be said: `npm install redis`. So is one of the
    // words around every message; in a URL it is hidden all the same.
    if (form.length >= SHORTEST && !scheme.includes(form) && !OWN_WORDS.includes(form)) learnt.add(form);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
