import type { RecordHeader } from "@tidemark/core";

/**
 * Headers as they are stored: for each its name and its value, both as UTF-8 or raw bytes after their length in four bytes,
 * big-endian. No headers are `null`.
 */
export function encodeHeaders(headers: readonly RecordHeader[] | undefined): Uint8Array | null {
  if (headers === undefined || headers.length === 0) return null;
  const parts: Uint8Array[] = [];
  for (const { name, value } of headers) {
    for (const bytes of [Buffer.from(name), value]) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      parts.push(length, bytes);
    }
  }
  return Buffer.concat(parts);
}

/** The headers that {@link encodeHeaders} made the bytes from. */
export function decodeHeaders(stored: Uint8Array): RecordHeader[] {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const headers: RecordHeader[] = [];
  let at = 0;
  const next = (): Buffer => {
    const start = at + 4;
    at = start + bytes.readUInt32BE(at);
    return bytes.subarray(start, at);
  };
  while (at < bytes.length) {
    const name = next().toString();
    headers.push({ name, value: new Uint8Array(next()) });
  }
  return headers;
}
