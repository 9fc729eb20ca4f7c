import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";

/** Names the environment variable that has documents rewritten instead of compared. */
const UPDATE = "TIDEMARK_UPDATE_DOCUMENTS";

/**
 * Holds a part of a document to what the code says: the text between `<!-- NAME -->` and `<!-- /NAME -->` in a Markdown
 * file is `content`, but for the width of table cells. With `TIDEMARK_UPDATE_DOCUMENTS=1` it writes it there instead; the
 * formatter then sets the widths.
 */
export async function expectGenerated(file: string, name: string, content: string): Promise<void> {
  const text = await readFile(file, "utf8");
  const [opening, closing] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(opening), text.indexOf(closing)];
  assert.ok(from >= 0 && to > from, `${file} has no block between ${opening.trim()} and ${closing}`);
  const start = from + opening.length;
  if (process.env[UPDATE] === "1") {
    await writeFile(file, `${text.slice(0, start)}\n${content}\n\n${text.slice(to)}`);
    return;
  }
  assert.equal(
    withoutWidths(text.slice(start, to)),
    withoutWidths(content),
    `${file}: the block ${name} is not what the code says; run this test with ${UPDATE}=1, then the formatter`,
  );
}

function withoutWidths(markdown: string): string {
  return markdown.trim().replaceAll(/ +\|/g, " |").replaceAll(/\| +/g, "| ").replaceAll(/-{3,}/g, "---");
}
