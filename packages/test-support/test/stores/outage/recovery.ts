import { type ConsumerEvent, createConsumer, openOffsetSession, type OffsetStore } from "@tidemark/core";
import { createMemorySource } from "@tidemark/test-support";
import { untilAnswered } from "@tidemark/test-support/stores";
import { expect, onTestFinished } from "vitest";
import { type Declare, key, newToken, positioned, repeatedly, stored } from "./bench.ts";
import { expectOutage } from "./expect-outage.ts";

/** What works again by itself after outages, servers killed and started again among them. */
export function defineRecovery(on: Declare): void {
  on(
    "a session goes through cuts, silence and lost answers by itself: nothing goes back, nothing is lost",
    async (bench) => {
      const { proxy, store, direct, atWrite } = bench;
      const events: string[] = [];
      const session = await untilAnswered(() =>
        openOffsetSession({
          store,
          consumer: key.consumer,
          topic: key.topic,
          partitions: [0, 1],
          flushInterval: 10,
          onEvent: ({ type }) => events.push(type),
        }),
      );
      const watch = watchPosition(direct);
      let next = 0n;
      const work = async (): Promise<void> => {
        for (let count = 0; count < 5; count += 1) {
          session.commit({ partition: 0, offset: next });
          session.commit({ partition: 1, offset: next });
          next += 1n;
          await session.flush().catch(() => undefined);
        }
      };
      await work();
      const lost = proxy.cutAfterRequest(atWrite);
      await work();
      await lost;
      const unsent = proxy.cutBeforeRequest({ ...atWrite, stayCut: true });
      await work();
      await unsent;
      proxy.restore();
      await work();
      proxy.silence();
      await work();
      proxy.restore();
      await expect
        .poll(
          () =>
            session.flush().then(
              () => true,
              () => false,
            ),
          { timeout: 20_000 },
        )
        .toBe(true);
      expect(session.fenced).toBeUndefined();
      expect(await stored(direct)).toMatchObject({ nextOffset: next });
      expect(await stored(direct, { ...key, partition: 1 })).toMatchObject({ nextOffset: next });
      await watch.stop();
      await session.close();
      expect(events).not.toContain("fenced");
      expect(events).not.toContain("recreated");
    },
  );

  on("a consumer reads on while the server is killed and started again: it recovers by itself", async (bench) => {
    const { server, store } = bench;
    const source = createMemorySource();
    await source.admin.createTopic(key.topic, { partitions: 1 });
    const values = Array.from({ length: 3_000 }, () => ({ value: Buffer.from("x") }));
    await source.producer.produce(key.topic, 0, values);
    const events: ConsumerEvent[] = [];
    const options = { source, store, consumer: key.consumer, topic: key.topic, untilEnd: true };
    const consumer = await createConsumer({ ...options, flushInterval: 10, onEvent: (event) => events.push(event) });
    onTestFinished(() => consumer.close().catch(() => undefined));
    const iterator = consumer[Symbol.asyncIterator]();
    const read = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 1) await iterator.next();
    };
    await read(1_000);
    await consumer.flush();
    const before = await stored(store);
    await server.kill();
    // The outage takes nothing from the reader.
    await read(1_000);
    await expect.poll(() => events.some(({ type }) => type === "flush-failed"), { timeout: 20_000 }).toBe(true);
    await server.restart();
    await read(500);
    await repeatedly(() => consumer.flush());
    const after = await stored(store);
    expect(after.nextOffset).toBe(2_499n);
    expect(after.nextOffset).toBeGreaterThan(before.nextOffset ?? -1n);
    expect(events.map(({ type }) => type)).not.toContain("fenced");
    await iterator.return?.();
    await consumer.close();
    // Another one goes on from there.
    await using again = await untilAnswered(() => createConsumer(options));
    const first = await again[Symbol.asyncIterator]().next();
    expect(first.value).toMatchObject({ offset: 2_499n });
  });

  on("a store whose server is killed says so, and works when it is back", async ({ server, store }) => {
    const token = newToken();
    await repeatedly(() => positioned(store, token, 5n));
    await server.kill();
    await expectOutage(store, token);
    await server.restart();
    await repeatedly(() => store.fetch([key]));
  });
}

/** Looks at the position all the time: it must never go back. */
function watchPosition(store: OffsetStore<unknown>): { stop(): Promise<void> } {
  let stopped = false;
  let last = -1n;
  const watching = (async () => {
    while (!stopped) {
      const { nextOffset = -1n } = await stored(store);
      expect(nextOffset).toBeGreaterThanOrEqual(last);
      last = nextOffset;
    }
  })();
  watching.catch(() => undefined);
  return {
    stop: () => {
      stopped = true;
      return watching;
    },
  };
}
