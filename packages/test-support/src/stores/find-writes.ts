import type { OffsetKey } from "@tidemark/core";
import type { TcpProxy, WireRequest } from "../faults/index.ts";
import type { StoreBackend } from "./store-backend.ts";

/** What stores write with. Redis reads by scripts too. */
const WRITES = new Set([
  "EVALSHA",
  "EVAL",
  "update",
  "insert",
  "delete",
  "findAndModify",
  "bulkWrite",
  "INSERT",
  "UPDATE",
  "PUT",
  "DELETE",
]);

/**
 * Finds out by which requests of a store a proxy can tell that something is written: those of a kind that writes, and that
 * no fetch sends.
 */
export async function findWrites(backend: StoreBackend, proxy: TcpProxy): Promise<(request: WireRequest) => boolean> {
  await using store = await backend.open({ through: proxy });
  proxy.takeRequests();
  await store.fetch([keyOn("orders")]);
  await store.fetch([keyOn("orders"), keyOn("payments")]);
  const reads = new Set(proxy.takeRequests().map(nameOf));
  return (request) => WRITES.has(request.name) && !reads.has(nameOf(request));
}

function keyOn(topic: string): OffsetKey {
  return { consumer: "nobody", topic, partition: 0 };
}

/** A script by its digest as well; of other requests the target is what they are about. */
function nameOf({ name, target }: WireRequest): string {
  return name.startsWith("EVAL") ? `${name} ${target}` : name;
}
