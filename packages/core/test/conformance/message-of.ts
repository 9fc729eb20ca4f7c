/** What a pattern for a message says to people, as a cell of a table: empty where it stands for several messages. */
export function messageOf(says: RegExp): string {
  if (says.source.includes("|")) return "";
  const words = says.source
    .replaceAll(/(?:-\?)?\\d\+?/g, "N")
    .replaceAll(/\.\*|(?<=\w)\+/g, "…")
    .replaceAll("\\", "");
  // Code with backticks in it has two around it.
  const mark = words.includes("`") ? "``" : "`";
  return `${mark}${words}${mark}`;
}
