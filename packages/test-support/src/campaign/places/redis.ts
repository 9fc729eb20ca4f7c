import { OffsetStoreError } from "@tidemark/core";
import { beginRedisTransaction, openRedisStore } from "@tidemark/store-redis";
import { createClient } from "redis";
import { byPartition, type OpenedPlace, type Place } from "./place.ts";

/** Positions in Redis, and results in a list of the same server for each consumer. */
export async function openRedisPlace(
  { url, namespace }: Extract<Place, { kind: "redis" }>,
  timeout: number,
): Promise<OpenedPlace> {
  const store = await openRedisStore({ url, namespace, timeout, onEvent: () => undefined });
  const connect = () =>
    createClient({ url, socket: { connectTimeout: timeout, reconnectStrategy: false } })
      .on("error", () => undefined)
      .connect();
  // Of its own: a watch belongs to the connection.
  let connected: Awaited<ReturnType<typeof connect>> | undefined;
  return {
    store,
    async transact(consumer, { partition, offset }, { writes, commit }) {
      connected ??= await connect();
      for (;;) {
        const transaction = beginRedisTransaction(connected);
        // No identity of its own making: a record that is written twice is there twice.
        if (writes) transaction.multi.rPush(sinkOf(namespace, consumer), `${partition} ${offset}`);
        await commit(transaction);
        try {
          return await transaction.commit();
        } catch (error) {
          // The session wrote its own renewal meanwhile: nothing of this attempt is there.
          if (!(error instanceof OffsetStoreError && error.code === "CONFLICT" && error.retryable)) throw error;
        }
      }
    },
    async sink(consumer, partitions) {
      connected = connected?.isOpen === true ? connected : await connect();
      const rows = await connected.lRange(sinkOf(namespace, consumer), 0, -1);
      return byPartition(
        partitions,
        rows.map((row) => {
          const [partition, offset] = row.split(" ");
          return { partition: Number(partition), offset: Number(offset) };
        }),
      );
    },
    async close() {
      connected?.destroy();
      await store.close();
    },
  };
}

function sinkOf(namespace: string, consumer: string): string {
  return `${namespace}-results-${consumer}`;
}
