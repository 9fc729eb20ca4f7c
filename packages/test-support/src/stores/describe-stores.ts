import {
  describeWithServer,
  launchServer,
  type OwnServer,
  requireServer,
  type RunningServer,
  serversAreRequired,
} from "../servers/index.ts";
import { memory, sqlite } from "./embedded-stores.ts";
import { mongo, postgres, redis, s3 } from "./server-stores.ts";
import type { StoreBackend, TestedRemoteStore, TestedStore } from "./store-backend.ts";

/** The six stores. */
export const testedStores: readonly TestedStore[] = [memory, sqlite, postgres, redis, mongo, s3];

/** Those on servers. */
export const testedRemoteStores: readonly TestedRemoteStore[] = [postgres, redis, mongo, s3];

/**
 * Declares a test file's tests once for each store, each on the shared server that it needs; as `describeWithServer` where
 * one is missing. To be awaited at the top of a test file.
 */
export async function describeEachStore<Store extends TestedStore>(
  stores: readonly Store[],
  define: (store: Store, openBackend: () => Promise<StoreBackend>) => void,
): Promise<void> {
  // Only a file that vitest runs can import it; this module may be loaded elsewhere.
  const { describe } = await import("vitest");
  for (const store of stores) {
    const declare = (server?: RunningServer): void => {
      describe(`${store.name} store`, () => define(store, () => store.openBackend(server)));
    };
    if (store.server === undefined) declare();
    else await describeWithServer(store.server, declare);
  }
}

/** As {@link describeEachStore} for one store, on a server of the test file's own, to be harmed and stopped at its end. */
export async function describeOnOwnServer(
  store: TestedRemoteStore,
  define: (server: OwnServer) => void,
): Promise<void> {
  const { afterAll, describe, it } = await import("vitest");
  const server = await launchServer(store.server);
  if (!("missing" in server)) {
    afterAll(() => server.stop());
    describe(`${store.name} store on ${server.version}`, () => define(server));
  } else if (serversAreRequired()) {
    it(`needs ${store.server}`, () => requireServer(server));
  } else {
    describe.skip(server.missing, () => it(`needs ${store.server}`, () => undefined));
  }
}
