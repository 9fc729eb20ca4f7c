const LINE_FEED = 0x0a;

/** The longest line taken, in bytes: without a limit, input without line breaks would fill the memory. */
export const LONGEST_LINE_BYTES = 64 * 1024 * 1024;

/** Cuts a stream of bytes into lines. The bytes of a line stay as they are, in any encoding. */
export interface LineSplitter {
  /** The lines that end in this chunk. Throws a RangeError if a line grows beyond the limit. */
  push(chunk: Uint8Array): Uint8Array[];
  /** What stands after the last line break, if anything does. */
  end(): Uint8Array[];
}

/** Makes a splitter. */
export function createLineSplitter(longestLineBytes: number = LONGEST_LINE_BYTES): LineSplitter {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const takePending = (last: Uint8Array): Uint8Array => {
    if (pendingBytes === 0) return last;
    const line = Buffer.concat([...pending, last]);
    pending = [];
    pendingBytes = 0;
    return line;
  };
  return {
    push(chunk) {
      const lines: Uint8Array[] = [];
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
        lines.push(takePending(chunk.subarray(start, end)));
        start = end + 1;
      }
      if (start < chunk.length) {
        pending.push(chunk.subarray(start));
        pendingBytes += chunk.length - start;
        if (pendingBytes > longestLineBytes) {
          throw new RangeError(`a line of the input is longer than ${longestLineBytes} bytes`);
        }
      }
      return lines;
    },
    end() {
      return pendingBytes === 0 ? [] : [takePending(new Uint8Array())];
    },
  };
}
