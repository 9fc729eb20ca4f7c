import { openRedisStore } from "@tidemark/store-redis";
import type { OpenedPlace, Place } from "./place.ts";

/** Positions in Redis. */
export async function openRedisPlace(
  { url, namespace }: Extract<Place, { kind: "redis" }>,
  timeout: number,
): Promise<OpenedPlace> {
  const store = await openRedisStore({ url, namespace, timeout, onEvent: () => undefined });
  return { store, close: () => store.close() };
}
