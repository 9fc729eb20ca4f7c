const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

/**
 * Reads a number of bytes: `1048576`, `512MiB`, `2GB`.
 *
 * @throws RangeError that says what is wrong with it.
 */
export function parseByteCount(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = BYTES_PER_UNIT[(unit ?? "").toLowerCase()];
  if (amount === undefined || factor === undefined) {
    throw new RangeError("write a number of bytes like 1048576, 512MiB or 2GB");
  }
  const bytes = Math.round(Number(amount) * factor);
  if (bytes < 1 || !Number.isSafeInteger(bytes)) throw new RangeError("must be from 1 byte to 2^53 - 1 bytes");
  return bytes;
}
