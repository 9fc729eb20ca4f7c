import { requireServer, sharedServer } from "@tidemark/test-support/servers";
import { type StoreBackend, testedStores } from "@tidemark/test-support/stores";
import { onTestFinished } from "vitest";

/** Rooms in SQLite and in Redis, that are removed with the test. To be called within `describeWithServer("redis", ...)`. */
export async function openBackends(): Promise<{ readonly sqlite: StoreBackend; readonly redis: StoreBackend }> {
  return { sqlite: await openBackend("sqlite"), redis: await openBackend("redis") };
}

async function openBackend(name: "sqlite" | "redis"): Promise<StoreBackend> {
  const store = testedStores.find((candidate) => candidate.name === name);
  if (store === undefined) throw new TypeError(`there is no store ${name}`);
  const server = store.server === undefined ? undefined : await sharedServer(store.server);
  if (server !== undefined) requireServer(server);
  const backend = await store.openBackend(server);
  onTestFinished(() => backend.close());
  return backend;
}
