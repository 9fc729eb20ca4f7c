import type { OffsetStoreEvent } from "@tidemark/core/driver";

/** The line for an event of a store, or `undefined` if it is not worth one. */
export function storeEventMessage(event: OffsetStoreEvent, verbose: boolean): string | undefined {
  switch (event.type) {
    case "warning":
      return `warning: ${event.store} store: ${event.message}`;
    case "retry":
      // Most pass at the second try; what does not is the failure that ends the command.
      return verbose ? `${event.error.message}; tried again` : undefined;
  }
}
