import { hasInvisible, visibleLines } from "../text/visible-text.ts";

/** Texts with a meaning of their own in YAML 1.1 that the library does not know of. */
const OF_YAML_1_1 = new Set(["=", "<<"]);

/** Writes data as YAML; ends with a line break. The library is loaded when it is needed: most commands never do. */
export async function formatYaml(data: unknown): Promise<string> {
  const format = await loadYaml();
  return format(data);
}

/** Loads the library for who writes much. What readers of YAML 1.1 would take for no text, `no` or `12:30`, is quoted. */
export async function loadYaml(): Promise<(data: unknown) => string> {
  const { Document, Scalar, visit } = await import("yaml");
  return (data) => {
    const document = new Document(data, { compat: "yaml-1.1", aliasDuplicateObjects: false });
    visit(document, {
      Scalar(_, node) {
        if (typeof node.value !== "string") return;
        // Only there is anything escaped.
        if (OF_YAML_1_1.has(node.value) || hasInvisible(node.value)) node.type = Scalar.QUOTE_DOUBLE;
      },
    });
    return visibleLines(document.toString({ lineWidth: 0 }));
  };
}
