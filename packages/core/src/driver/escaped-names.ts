/** How many names are remembered with their escapes: those of the consumers and topics of one process, as a rule. */
const REMEMBERED_NAMES = 256;
const escapedNames = new Map<string, string>();

/**
 * Escapes a name for a place where only letters, digits, `-`, `_` and `.` are plain: those stay as they are, every other
 * UTF-8 byte becomes `%XX`, and so does a dot in front. Distinct names stay distinct (contract 3.7).
 */
export function escapeName(name: string): string {
  const known = escapedNames.get(name);
  if (known !== undefined) return known;
  const escaped = name
    .replaceAll(/[^A-Za-z0-9._-]/gu, (character) => Array.from(Buffer.from(character), escapeByte).join(""))
    .replace(/^\./u, "%2E");
  if (escapedNames.size >= REMEMBERED_NAMES) escapedNames.clear();
  escapedNames.set(name, escaped);
  return escaped;
}

/** The name that {@link escapeName} made this of; `undefined` for any other text. */
export function unescapeName(text: string): string | undefined {
  try {
    const name = decodeURIComponent(text);
    return name !== "" && escapeName(name) === text ? name : undefined;
  } catch {
    return undefined;
  }
}

function escapeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
