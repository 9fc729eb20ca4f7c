import { openRedisStore, storeUrl } from "@tidemark/store-redis";
import { createClient } from "redis";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare } from "./paired.ts";
import { withServer } from "./server.ts";
import { byWayOf, openSlowNetwork } from "./slow-network.ts";

/** Many and short: others on the machine do not come into all of them. */
const ROUNDS = 201;
const PARTITIONS = 128;
const NETWORK_MS = 0.5;

/** How many commits, and how many flushes, a round makes on each side. */
interface Calls {
  readonly single: number;
  readonly flushes: number;
}

const ON_LOOPBACK: Calls = { single: 200, flushes: 20 };
const ON_NETWORK: Calls = { single: 20, flushes: 10 };

/** Commits through the Redis store against bare SETs by the same client, which compare and guard nothing. */
export async function compareRedis(): Promise<Comparison[]> {
  return await withServer("redis", async ({ url, version }) => {
    await using network = await openSlowNetwork(url, NETWORK_MS);
    const farAway = byWayOf(network, url);
    return [
      ...(await compareClient(`${version}, default client`, url, {}, ON_LOOPBACK)),
      ...(await compareClient(`${version}, client without time-out`, url, WITHOUT_TIMEOUT, ON_LOOPBACK)),
      ...(await compareClient(`${version}, default client, ${NETWORK_MS} ms away`, farAway, {}, ON_NETWORK)),
      ...(await compareClient(
        `${version}, client without time-out, ${NETWORK_MS} ms away`,
        farAway,
        WITHOUT_TIMEOUT,
        ON_NETWORK,
      )),
      await compareGrowth({
        name: "Redis store",
        open: (place) => storeUrl.open(`${url}/${place === "few" ? 1 : 2}`),
        calls: 2_000,
        inFlight: 8,
      }),
    ];
  });
}

/** By default the client makes a timer for each command, and clears it. */
const WITHOUT_TIMEOUT = { commandOptions: { timeout: 0 } };

async function compareClient(
  about: string,
  url: string,
  options: { readonly commandOptions?: { readonly timeout: number } },
  { single, flushes }: Calls,
): Promise<Comparison[]> {
  const client = createClient({ url, ...options });
  await client.connect();
  try {
    // Of its own: the positions of the one before are ahead.
    await using store = await openRedisStore({ client, namespace: about });
    let position = 0;
    return [
      await compare(
        `Redis store (${about}), one commit, against a bare SET`,
        ROUNDS,
        await committing(store, 1, single),
        async () => {
          for (let call = 0; call < single; call += 1) await client.set("bare:0", String((position += 1)));
          return single;
        },
      ),
      await compare(
        `Redis store (${about}), a flush of ${PARTITIONS} partitions, against ${PARTITIONS} pipelined SETs`,
        ROUNDS,
        await committing(store, PARTITIONS, flushes),
        async () => {
          for (let call = 0; call < flushes; call += 1) {
            position += 1;
            await Promise.all(
              Array.from({ length: PARTITIONS }, (_, index) => client.set(`bare:${index}`, String(position))),
            );
          }
          return flushes;
        },
      ),
    ];
  } finally {
    await client.close();
  }
}
