import type { OffsetStore } from "@tidemark/core";
import type { OpenedStore, OpenStoreOptions, StoreHarness } from "@tidemark/core/conformance";
import type { StoreBackend, TestedStore } from "@tidemark/test-support/stores";

/** A store's room as the kit opens it: for what needs neither the backend itself nor a broken connection. */
export function harnessOf({ name, server }: TestedStore, backend: StoreBackend): StoreHarness {
  const open = async (options: OpenStoreOptions): Promise<OpenedStore> => {
    const store: OffsetStore<unknown> = await backend.open(options);
    const close = (): Promise<void> => store.close();
    const reopen = async (): Promise<OpenedStore> => {
      await close();
      return open(options);
    };
    return { store, close, ...(store.capabilities.durability !== "none" && { reopen }) };
  };
  return { name, connection: server === undefined ? "embedded" : "remote", open };
}
