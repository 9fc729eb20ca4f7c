import { formatJson } from "./json.ts";
import type { OutputFormat } from "./output-format.ts";
import { formatYaml } from "./yaml.ts";

/** Writes the same data in the format asked for; `table` is made only if it is. */
export async function formatData(
  format: OutputFormat,
  data: unknown,
  table: () => Promise<string> | string,
): Promise<string> {
  switch (format) {
    case "table":
      return await table();
    case "json":
      return formatJson(data);
    case "yaml":
      return await formatYaml(data);
  }
}
