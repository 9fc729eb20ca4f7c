/** Writes data as JSON for programs, readable by people too; ends with a line break. */
export function formatJson(data: unknown): string {
  return `${JSON.stringify(data, undefined, 2)}\n`;
}
