import { createMemoryStore } from "@tidemark/store-memory";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare } from "./paired.ts";

const ROUNDS = 9;
const CALLS = 100_000;

/** Commits through the memory store, fenced and forward only, against what people use instead. */
export async function compareMemory(): Promise<Comparison[]> {
  const map = new Map<string, bigint>();
  const bare = await compare(
    "memory store, one commit, against a bare Map.set",
    ROUNDS,
    await committing(createMemoryStore(), 1, CALLS),
    async () => {
      for (let index = 0; index < CALLS; index += 1) {
        // As asynchronous as the store's own call is.
        await Promise.resolve(map.set("benchmark/benchmark/0", BigInt(index)));
      }
      return CALLS;
    },
  );
  const open = async () => createMemoryStore();
  return [bare, await compareGrowth({ name: "memory store", open, calls: CALLS, inFlight: 1 })];
}
