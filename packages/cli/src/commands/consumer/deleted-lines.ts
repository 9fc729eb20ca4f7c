import type { OffsetKey } from "@tidemark/core";
import { visibleText } from "../../text/visible-text.ts";

/** Says of each position, on a line of its own, that it is deleted. */
export async function deletedLines(keys: readonly OffsetKey[]): Promise<string> {
  const { formatKey } = await import("@tidemark/core");
  return keys.map((key) => `${visibleText(formatKey(key))} deleted\n`).join("");
}
