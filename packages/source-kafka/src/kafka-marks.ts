const NOT_KNOWN = "-";

/** Which log a position belongs to: its topic, and who led the partition when the record before the position was written. */
export interface KafkaMark {
  /** Of the topic and no other that ever had its name. Absent where the brokers are of before Kafka 2.8. */
  readonly topicId?: string | undefined;
  /** Counts the partition's leaders. Absent where the brokers are of before Kafka 2.1. */
  readonly epoch?: number | undefined;
}

/** A mark as text: the topic's id as Kafka's own tools show it, and the leader's epoch. Nothing if neither is known. */
export function formatMark({ topicId, epoch }: KafkaMark): string | undefined {
  if (topicId === undefined && epoch === undefined) return undefined;
  const id = topicId && Buffer.from(topicId.replaceAll("-", ""), "hex").toString("base64url");
  return `${id ?? NOT_KNOWN}/${epoch ?? NOT_KNOWN}`;
}

/** Reads what {@link formatMark} wrote; nothing if it is the mark of another kind of log. */
export function parseMark(mark: string): KafkaMark | undefined {
  const [, id, epoch] = /^([\w-]{22}|-)\/(\d{1,10}|-)$/.exec(mark) ?? [];
  if (id === undefined || epoch === undefined) return undefined;
  return {
    ...(id !== NOT_KNOWN && { topicId: uuidOf(id) }),
    ...(epoch !== NOT_KNOWN && { epoch: Number(epoch) }),
  };
}

function uuidOf(id: string): string {
  const hex = Buffer.from(id, "base64url").toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
