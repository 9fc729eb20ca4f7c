/** Writes data as YAML; ends with a line break. The library is loaded when it is needed: most commands never do. */
export async function formatYaml(data: unknown): Promise<string> {
  const { stringify } = await import("yaml");
  return stringify(data, { lineWidth: 0 });
}
