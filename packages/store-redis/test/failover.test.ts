import { setImmediate } from "node:timers/promises";
import { OffsetFencedError, openOffsetSession, type OffsetSession, type OffsetStore } from "@tidemark/core";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { launchOrSkip, type OwnServer, type ServerNode } from "@tidemark/test-support/servers";
import { createClient, createSentinel } from "redis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openRedisStore } from "../src/index.ts";
import { untilReplicated } from "./until-replicated.ts";

const topic = "orders";
const token = "t";
/** For what takes a failover: a Sentinel that was late itself, on a busy machine, begins none for 30 seconds. */
const PATIENCE = { timeout: 90_000 };

describe("a master behind Sentinel that is killed", () => {
  it("is followed by its replica: sessions recover by themselves, nothing rewinds or is skipped", async ({ skip }) => {
    await using set = await SentinelSet.launch(skip);
    await using store = await openRedisStore({ url: set.url, timeout: 5_000, onEvent: () => undefined });
    const events: string[] = [];
    const onEvent = ({ type }: { readonly type: string }): void => void events.push(type);
    const session = await openSession(store, "steady", { partitions: [0, 1], onEvent });
    await using other = await openSession(store, "idle");
    await commitAndFlush(other, 7n);
    let next = 0n;
    const stopped = new AbortController();
    onTestFinished(() => stopped.abort());
    const work = (async () => {
      for (; !stopped.signal.aborted; next += 1n) {
        for (const partition of [0, 1]) session.commit({ partition, offset: next });
        await session.flush().catch(() => setImmediate());
      }
    })();
    await expect.poll(() => next > 100n, PATIENCE).toBe(true);
    await untilReplicated(set.master.url);
    await set.master.kill();
    await expect.poll(() => events.includes("flush-failed"), PATIENCE).toBe(true);
    await set.untilPromoted();
    // Whatever was undone, no position is ahead of what was committed, and no answer was about another record.
    const after = await recovered(() => fetched(store, "steady"));
    expect(after?.nextOffset).toBeLessThanOrEqual(next + 1n);
    const atRecovery = next;
    await expect.poll(() => next > atRecovery + 50n, PATIENCE).toBe(true);
    stopped.abort();
    await work;
    await session.flush();
    for (const partition of [0, 1]) {
      expect(await fetched(store, "steady", partition)).toMatchObject({ nextOffset: next, owner: session.owner });
    }
    await commitAndFlush(other, 8n);
    expect(await fetched(store, "idle")).toMatchObject({ nextOffset: 9n });
    await session.close();
    expect(events.filter((type) => type !== "flush-failed" && type !== "heartbeat-failed")).toEqual([]);
  });

  it("may take acknowledged writes with it: records repeat, and what lost its claim is fenced", async ({ skip }) => {
    await using set = await SentinelSet.launch(skip);
    await using store = await openRedisStore({ url: set.url, timeout: 5_000, onEvent: () => undefined });
    await using kept = await openSession(store, "kept");
    await commitAndFlush(kept, 9n);
    const former = await openSession(store, "taken over", { owner: "former" });
    await commitAndFlush(former, 4n);
    await untilReplicated(set.master.url);
    await set.cutReplicaOff();
    await commitAndFlush(kept, 19n);
    const newer = await openSession(store, "taken over", { owner: "newer" });
    const first = await openSession(store, "first");
    for (const session of [newer, first]) await commitAndFlush(session, 29n);
    await set.master.kill();
    set.replica.resume();
    await set.untilPromoted();
    // Behind what was acknowledged, never ahead; whoever starts from here reads records again.
    expect(await recovered(() => fetched(store, "kept"))).toMatchObject({ nextOffset: 10n });
    expect(await fetched(store, "taken over")).toMatchObject({ nextOffset: 5n, owner: "former" });
    expect(await fetched(store, "first")).toBeUndefined();
    // A session whose claim was there goes on, with what it knows.
    await commitAndFlush(kept, 20n);
    expect(await fetched(store, "kept")).toMatchObject({ nextOffset: 21n });
    // One whose claim is undone stops, and never writes over whoever has it, alive or not.
    await expectFenced(newer, 30n, { reason: "superseded", owner: "former" });
    await expectFenced(first, 30n, { reason: "absent" });
    expect(await fetched(store, "taken over")).toMatchObject({ nextOffset: 5n });
    expect(await fetched(store, "first")).toBeUndefined();
    await using again = await openSession(store, "taken over");
    expect(again.position(0)).toBe(5n);
    await expectFenced(former, 30n, { reason: "superseded", owner: again.owner });
  });

  it("leaves writes that wait for a replica written, and says that none has them", async ({ skip }) => {
    await using set = await SentinelSet.launch(skip);
    const acknowledge = { replicas: 1, timeout: 1_500 };
    await using store = await openRedisStore({ url: set.url, timeout: 15_000, onEvent: () => undefined, acknowledge });
    const key = { consumer: "waiting", topic, partition: 0 };
    expect(await store.claim([{ key, token, owner: "o" }])).toMatchObject([{ status: "claimed" }]);
    expect(await store.commit([{ key, token, nextOffset: 5n }])).toEqual([{ status: "committed" }]);
    await set.cutReplicaOff();
    await expect(store.commit([{ key, token, nextOffset: 6n }])).rejects.toMatchObject({
      code: "UNAVAILABLE",
      retryable: true,
      message: /the write was applied, but was not acknowledged by 1 replica/u,
    });
    expect(await fetched(store, "waiting")).toMatchObject({ nextOffset: 6n });
    set.replica.resume();
    // The same again is acknowledged as soon as the replica is back, by whichever connection.
    await expect
      .poll(async () => store.commit([{ key, token, nextOffset: 6n }]).catch(() => undefined), { timeout: 20_000 })
      .toEqual([{ status: "committed" }]);
    await set.master.kill();
    await set.untilPromoted();
    // What a replica had acknowledged is there; what comes now none can.
    expect(await recovered(() => fetched(store, "waiting"))).toMatchObject({ nextOffset: 6n });
    await expect
      .poll(() => store.commit([{ key, token, nextOffset: 7n }]).catch(String), PATIENCE)
      .toMatch(/not acknowledged/u);
    expect(await fetched(store, "waiting")).toMatchObject({ nextOffset: 7n });
  });

  it("is not taken for acknowledged by a connection that did not write", async ({ skip }) => {
    await using set = await SentinelSet.launch(skip);
    const { hostname, port, host } = new URL(set.master.url);
    await using proxy = await openTcpProxy({ port: Number(port), protocol: "resp" });
    const client = createSentinel({
      name: "mymaster",
      sentinelRootNodes: set.sentinels,
      nodeAddressMap: { [host]: { host: hostname, port: proxy.port } },
      nodeClientOptions: { socket: { reconnectStrategy: () => 25 } },
    });
    client.on("error", () => undefined);
    await client.connect();
    onTestFinished(() => client.destroy());
    const acknowledge = { replicas: 1, timeout: 1_500 };
    await using store = await openRedisStore({ client, timeout: 10_000, onEvent: () => undefined, acknowledge });
    const key = { consumer: "waiting", topic, partition: 0 };
    await store.claim([{ key, token, owner: "o" }]);
    // Connected still, and has nothing of what is written from here on.
    set.replica.pause();
    const cut = proxy.cutBeforeRequest({ match: ({ name }) => name === "WAIT" });
    // On the next connection the record is there, and nobody has said of it that a replica has it.
    expect(await store.reset([{ key, nextOffset: 6n }])).toMatchObject([
      { status: "failed", error: { code: "UNAVAILABLE" } },
    ]);
    await cut;
    set.replica.resume();
    await expect
      .poll(() => store.reset([{ key, nextOffset: 6n }]).catch(String), PATIENCE)
      .toEqual([{ status: "reset" }]);
  });
});

/** A set of the test's own, and what a failover needs. */
class SentinelSet implements AsyncDisposable {
  readonly url: string;
  readonly sentinels: { readonly host: string; readonly port: number }[];
  readonly master: ServerNode;
  readonly replica: ServerNode;
  readonly #server: OwnServer;

  private constructor(server: OwnServer, master: ServerNode, replica: ServerNode) {
    this.#server = server;
    this.master = master;
    this.replica = replica;
    this.sentinels = server.urls.map((url) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) }));
    const more = server.urls.slice(1).map((url) => new URL(url).host);
    this.url = `${server.url}?sentinel=mymaster&nodes=${more.join(",")}`;
  }

  static async launch(skip: (note: string) => never): Promise<SentinelSet> {
    const server = await launchOrSkip("redis-sentinel", skip);
    const [master, replica] = (["master", "replica"] as const).map((role) => server.nodes.find((n) => n.role === role));
    if (master === undefined || replica === undefined) throw new Error("a Sentinel set has a master and a replica");
    return new SentinelSet(server, master, replica);
  }

  /** What is written from here on, the replica never gets. */
  async cutReplicaOff(): Promise<void> {
    this.replica.pause();
    // What lies in the connection already would still be read.
    await ask(this.master.url, ["CLIENT", "KILL", "TYPE", "replica"]);
  }

  /** Waits until the replica is the master. */
  async untilPromoted(): Promise<void> {
    await until(async () => String(await ask(this.replica.url, ["ROLE"])).startsWith("master"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(
    async () => {
      if (!(await holds())) throw new Error("not yet");
    },
    { ...PATIENCE, interval: 50 },
  );
}

async function ask(url: string, args: string[]): Promise<unknown> {
  const client = createClient({ url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await client.sendCommand(args);
  } finally {
    client.destroy();
  }
}

async function openSession(
  store: OffsetStore<never>,
  consumer: string,
  options: {
    readonly partitions?: number[];
    readonly owner?: string;
    onEvent?: (event: { type: string }) => void;
  } = {},
): Promise<OffsetSession> {
  const { partitions = [0], ...rest } = options;
  const session = await openOffsetSession({
    ...{ store, consumer, topic, partitions, sharing: "takeover", flushInterval: 20 },
    ...rest,
  });
  onTestFinished(() => session.close().catch(() => undefined));
  return session;
}

/** Until the store has it: a failover takes a second or two. */
async function commitAndFlush(session: OffsetSession, offset: bigint): Promise<void> {
  session.commit({ partition: 0, offset });
  await expect
    .poll(
      () =>
        session.flush().then(
          () => "flushed",
          (error: unknown) => String(error),
        ),
      PATIENCE,
    )
    .toBe("flushed");
}

/** As soon as the store can be reached again. */
async function recovered<Result>(question: () => Promise<Result>): Promise<Result> {
  let result: { readonly value: Result } | undefined;
  await expect
    .poll(async () => {
      result = await question().then(
        (value) => ({ value }),
        () => undefined,
      );
      return result;
    }, PATIENCE)
    .toBeDefined();
  if (result === undefined) throw new Error("the poll has seen it");
  return result.value;
}

async function expectFenced(session: OffsetSession, offset: bigint, expected: object): Promise<void> {
  session.commit({ partition: 0, offset });
  const error = await session.flush().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OffsetFencedError);
  expect(error).toMatchObject(expected);
}

async function fetched(store: OffsetStore<never>, consumer: string, partition = 0) {
  const [outcome] = await store.fetch([{ consumer, topic, partition }]);
  if (outcome?.status === "failed") throw outcome.error;
  return outcome?.status === "found" ? outcome.record : undefined;
}
