const NOT_KNOWN = "-";

/** Which log a position belongs to: its topic, and who led the partition when the record before the position was written. */
export interface KafkaMark {
  /** Of the topic and no other that ever had its name, as {@link markIdOf} writes it. Absent where brokers are of before Kafka 2.8. */
  readonly topic?: string | undefined;
  /** Counts the partition's leaders. Absent where the brokers are of before Kafka 2.1. */
  readonly epoch?: number | undefined;
}

/** A topic's id as Kafka's own tools show it: 22 characters. */
export function markIdOf(topicId: string): string {
  return Buffer.from(topicId.replaceAll("-", ""), "hex").toString("base64url");
}

/** A mark as text. Nothing if neither topic nor epoch is known. */
export function formatMark({ topic, epoch }: KafkaMark): string | undefined {
  if (topic === undefined && epoch === undefined) return undefined;
  return `${topic ?? NOT_KNOWN}/${epoch ?? NOT_KNOWN}`;
}

/** Reads what {@link formatMark} wrote; nothing if it is the mark of another kind of log. */
export function parseMark(mark: string): KafkaMark | undefined {
  const [, topic, epoch] = /^([\w-]{22}|-)\/(\d{1,10}|-)$/.exec(mark) ?? [];
  if (topic === undefined || epoch === undefined) return undefined;
  return {
    ...(topic !== NOT_KNOWN && { topic }),
    ...(epoch !== NOT_KNOWN && { epoch: Number(epoch) }),
  };
}
