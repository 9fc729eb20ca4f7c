import { formatJson } from "./json.ts";
import type { OutputFormat } from "./output-format.ts";
import { formatYaml } from "./yaml.ts";

/** So many are made into text at once. */
const AT_ONCE = 1000;

/** Writes rows as one list, a part at a time: the text of a million would be longer than a string can be. */
export async function* formatRows<Row>(
  format: Exclude<OutputFormat, "table">,
  rows: readonly Row[],
  toDocument: (row: Row) => unknown,
): AsyncGenerator<string, void, undefined> {
  if (rows.length === 0) yield formatJson([]);
  for (let start = 0; start < rows.length; start += AT_ONCE) {
    const documents = rows.slice(start, start + AT_ONCE).map(toDocument);
    // Lists in YAML's block style follow on each other as they are.
    if (format === "yaml") yield await formatYaml(documents);
    else yield formatPart(documents, start === 0, start + AT_ONCE >= rows.length);
  }
}

function formatPart(documents: readonly unknown[], isFirst: boolean, isLast: boolean): string {
  const inner = formatJson(documents).slice("[\n".length, -"\n]\n".length);
  return `${isFirst ? "[\n" : ",\n"}${inner}${isLast ? "\n]\n" : ""}`;
}
