import { CommandFailure } from "../../../failure/command-failure.ts";
import { createLineSplitter } from "../../produce/line-splitter.ts";

const BYTE_ORDER_MARK = "\uFEFF";

/** A line, without its line feed, and its number from 1 on. */
export interface TextLine {
  readonly text: string;
  readonly number: number;
}

/**
 * Cuts input into lines, many at a time. A byte order mark at its beginning is left out.
 *
 * @throws CommandFailure for bytes that are not UTF-8.
 */
export async function* textLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<TextLine[], void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (bytes: Uint8Array, number: number): string => {
    try {
      return decoder.decode(bytes);
    } catch (error) {
      throw new CommandFailure(`line ${number} of the input is not text in UTF-8`, { cause: error });
    }
  };
  const splitter = createLineSplitter();
  let number = 0;
  const toLines = (pieces: readonly Uint8Array[]): TextLine[] => {
    const lines: TextLine[] = [];
    for (const bytes of pieces) {
      number += 1;
      const text = decode(bytes, number);
      const isMarked = number === 1 && text.startsWith(BYTE_ORDER_MARK);
      lines.push({ text: isMarked ? text.slice(BYTE_ORDER_MARK.length) : text, number });
    }
    return lines;
  };
  for await (const chunk of input) yield toLines(splitter.push(chunk));
  yield toLines(splitter.end());
}
