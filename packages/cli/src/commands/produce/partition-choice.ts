/** Chooses a record's partition by its key; `null` for none. */
export type PartitionChoice = (key: Uint8Array | null) => number;

/** Every record to one partition. */
export function onePartition(partition: number): PartitionChoice {
  return () => partition;
}

/** Records with the same key to the same partition, as Kafka's own clients choose it; those without one to each in turn. */
export function spreadOver(partitions: readonly number[]): PartitionChoice {
  let turn = 0;
  return (key) => {
    const index = key === null ? turn++ % partitions.length : (murmur2(key) & 0x7fffffff) % partitions.length;
    return partitions[index] ?? 0;
  };
}

/** MurmurHash 2 with Kafka's seed: a topic written by both finds the same key in the same partition. */
export function murmur2(data: Uint8Array): number {
  const mix = 0x5bd1e995;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let hash = 0x9747b28c ^ data.length;
  const whole = data.length - (data.length % 4);
  for (let index = 0; index < whole; index += 4) {
    let word = Math.imul(view.getInt32(index, true), mix);
    word ^= word >>> 24;
    hash = Math.imul(hash, mix) ^ Math.imul(word, mix);
  }
  const rest = data.length - whole;
  if (rest >= 3) hash ^= view.getUint8(whole + 2) << 16;
  if (rest >= 2) hash ^= view.getUint8(whole + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ view.getUint8(whole), mix);
  hash = Math.imul(hash ^ (hash >>> 13), mix);
  return hash ^ (hash >>> 15);
}
