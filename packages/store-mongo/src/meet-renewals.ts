import type { ClientSession, Collection, Document } from "mongodb";
import type { StoredDocument } from "./stored-document.ts";

/**
 * Fails with a write conflict if what a transaction shows as expired has been written since. Its documents are those of its
 * snapshot, and the clock is that of the command: others may have renewed them in between. Only a write meets theirs, and
 * only one that changes something; the TTL index may come a millisecond later.
 */
export async function meetRenewals(
  collection: Collection<StoredDocument>,
  documents: readonly Document[],
  session: ClientSession,
): Promise<void> {
  const expired = documents.filter(({ expiresAt, now }) => expiresAt instanceof Date && expiresAt <= now);
  if (expired.length === 0) return;
  const ids = expired.map(({ _id }) => String(_id));
  const later = { $set: { expiresAt: { $add: ["$expiresAt", 1] } } };
  await collection.updateMany({ _id: { $in: ids } }, [later], { session });
}
