import { validateContractOfStore } from "../contract-version.ts";
import { validateKnownOptions, validateName, validateSignal } from "../driver/validation.ts";
import type { OffsetSession, OffsetSessionOptions } from "./offset-session.ts";
import { sessionListener } from "./session-listener.ts";
import { resolveSessionOptions, SHARED_OPTION_NAMES, validatePartitions, validateStore } from "./session-options.ts";
import { StoreOffsetSession } from "./store-offset-session.ts";

/**
 * Opens a session: claims the positions of a consumer on some partitions of a topic, in one call, and reads what is stored.
 *
 * Wrong options are a `TypeError` or `RangeError` before any I/O; a partition that cannot be claimed rejects with the
 * store's `OffsetStoreError`, which names it.
 */
export async function openOffsetSession<Transaction = never>(
  options: OffsetSessionOptions<Transaction>,
): Promise<OffsetSession<Transaction>> {
  return openStoreOffsetSession(options);
}

/** The same, with what a consumer needs beyond the public face. */
export async function openStoreOffsetSession<Transaction>(
  options: OffsetSessionOptions<Transaction>,
): Promise<StoreOffsetSession<Transaction>> {
  validateKnownOptions(options, SHARED_OPTION_NAMES);
  const { store, consumer, topic, partitions, onEvent, signal } = options;
  validateStore(store);
  validateContractOfStore(store);
  validateName("consumer", consumer);
  validateName("topic", topic);
  validateSignal(signal);
  const wanted = validatePartitions(partitions);
  const resolved = resolveSessionOptions(options);
  const session = new StoreOffsetSession(store, { consumer, topic }, resolved, sessionListener(onEvent));
  try {
    await session.claim(wanted, { signal });
  } catch (error) {
    await session.close();
    throw error;
  }
  return session;
}
