/** How data is written: for people, or for programs. */
export type OutputFormat = "table" | "json" | "yaml";

/** All formats, in the order that help shows them. */
export const outputFormats: readonly OutputFormat[] = ["table", "json", "yaml"];

/** Whether a text names a format. */
export function isOutputFormat(value: unknown): value is OutputFormat {
  return typeof value === "string" && (outputFormats as readonly string[]).includes(value);
}
