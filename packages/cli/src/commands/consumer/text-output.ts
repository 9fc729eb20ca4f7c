/** So much is written at once: what a pipe holds. */
const BATCH_CHARACTERS = 65_536;

/** Text that goes out in large pieces. */
export interface TextOutput {
  /** Takes text. A promise, where there is one, must resolve before the next. */
  add(text: string): Promise<void> | undefined;
  /** Writes the rest. */
  end(): Promise<void>;
}

/** Makes an output; what waits in memory is bounded. */
export function createTextOutput(write: (text: string) => Promise<void>): TextOutput {
  let parts: string[] = [];
  let length = 0;
  const flush = (): Promise<void> => {
    const text = parts.join("");
    parts = [];
    length = 0;
    return write(text);
  };
  return {
    add(text) {
      parts.push(text);
      length += text.length;
      return length >= BATCH_CHARACTERS ? flush() : undefined;
    },
    async end() {
      if (length > 0) await flush();
    },
  };
}
