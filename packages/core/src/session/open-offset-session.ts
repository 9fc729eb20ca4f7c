import { validateContractOfStore } from "../contract-version.ts";
import { validateFunction, validateKnownOptions, validateName, validateSignal } from "../driver/validation.ts";
import type { OffsetSession, OffsetSessionOptions } from "./offset-session.ts";
import { sessionListener } from "./session-listener.ts";
import { resolveSessionOptions, SHARED_OPTION_NAMES, validatePartitions, validateStore } from "./session-options.ts";
import { StoreOffsetSession } from "./store-offset-session.ts";

/**
 * Opens a session: claims the positions of a consumer on some partitions of a topic, in one call, and reads what is
 * stored. Resolves when it holds them all, which may take until another session ends; with `balanced` after its first
 * poll, when it holds the free partitions of its share.
 *
 * Wrong options are a `TypeError` or `RangeError` before any I/O; a partition that cannot be claimed rejects with the
 * store's `OffsetStoreError`, which names it.
 */
export async function openOffsetSession<Transaction = never>(
  options: OffsetSessionOptions<Transaction>,
): Promise<OffsetSession<Transaction>> {
  validateKnownOptions(options, [...SHARED_OPTION_NAMES, "onAssigned", "onRevoked"]);
  const { store, consumer, topic, partitions, onAssigned, onRevoked, onEvent, signal } = options;
  validateStore(store);
  validateContractOfStore(store);
  validateName("consumer", consumer);
  validateName("topic", topic);
  validateSignal(signal);
  validateFunction("onAssigned", onAssigned);
  validateFunction("onRevoked", onRevoked);
  const wanted = validatePartitions(partitions);
  const resolved = resolveSessionOptions(options, { sharing: "standby", store });
  if (resolved.sharing === "balanced" && onAssigned === undefined) {
    throw new TypeError(
      'sharing "balanced" needs onAssigned: it is called with the partitions to read, each time they change',
    );
  }
  const session: StoreOffsetSession<Transaction> = new StoreOffsetSession(
    store,
    { consumer, topic },
    resolved,
    sessionListener(onEvent, { consumer, topic }),
    {
      onAssigned: (numbers) => onAssigned?.(numbers, { session }),
      isInHand: (number) => session.held(number)?.isInHand === true,
      onRevoked: (numbers, reason) => onRevoked?.(numbers, { session, reason }),
    },
  );
  try {
    await session.begin(wanted, { signal });
  } catch (error) {
    // The caller has to get the failure itself, and at once if it aborts.
    const closed = session.close().catch(() => undefined);
    if (signal?.aborted !== true) await closed;
    throw error;
  }
  return session;
}
