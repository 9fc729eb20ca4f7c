import { randomBytes } from "node:crypto";
import {
  type FetchOutcome,
  type OffsetKey,
  type OffsetRecord,
  type OffsetStore,
  OffsetStoreError,
} from "@tidemark/core";
import { type CutOptions, openTcpProxy, type TcpProxy } from "@tidemark/test-support/faults";
import type { OwnServer } from "@tidemark/test-support/servers";
import {
  findWrites,
  type OpenBackendOptions,
  type TestedRemoteStore,
  untilAnswered,
} from "@tidemark/test-support/stores";
import { expect } from "vitest";

/** Of a store whose server is away, in milliseconds: long enough for a busy machine to answer within it. */
export const TIMEOUT_MS = 1_500;

/** What the tests work on. */
export const key: OffsetKey = { consumer: "c1", topic: "orders", partition: 0 };

/** How a test of outages is declared. */
export type Declare = (title: string, use: (bench: Bench) => Promise<void>) => void;

/** A store whose connections pass a proxy, and one that sees the same records beside it. */
export interface Bench {
  readonly server: OwnServer;
  readonly proxy: TcpProxy;
  readonly store: OffsetStore<unknown>;
  /** Opens another store on the same records. */
  readonly open: (options: OpenBackendOptions) => Promise<OffsetStore<unknown>>;
  /** Never disturbed by the proxy. */
  readonly direct: OffsetStore<unknown>;
  /** Where to cut: at the next request that writes. */
  readonly atWrite: CutOptions;
}

/** Opens a bench for one test. */
export async function withBench(
  tested: TestedRemoteStore,
  server: OwnServer,
  use: (bench: Bench) => Promise<void>,
): Promise<void> {
  const backend = await tested.openBackend(server);
  if (backend.address === undefined) throw new TypeError("a store on a server has an address");
  const proxy = await openTcpProxy({ ...backend.address, protocol: tested.protocol });
  const store = await untilAnswered(() => backend.open({ through: proxy, timeout: TIMEOUT_MS }));
  const direct = await backend.open();
  try {
    const match = await findWrites(backend, proxy);
    await use({ server, proxy, store, direct, open: (options) => backend.open(options), atWrite: { match } });
  } finally {
    proxy.restore();
    await store.close();
    await direct.close();
    await proxy.close();
    await backend.close();
  }
}

/** What came of the first entry: its status, or its error's code. */
export function statusOf([outcome]: readonly { readonly status: string; readonly error?: OffsetStoreError }[]): string {
  return outcome?.error?.code ?? outcome?.status ?? "nothing";
}

/** The code of what a call rejected with. */
export function codeOf(error: unknown): string {
  return error instanceof OffsetStoreError ? error.code : String(error);
}

/** What a careful caller does: the same call again while it fails for a reason that may pass. */
export async function repeatedly(call: () => Promise<unknown>): Promise<unknown> {
  const endsAt = performance.now() + 20_000;
  for (;;) {
    try {
      const said = await call();
      const failed = Array.isArray(said) ? said.find((outcome) => outcome.status === "failed") : undefined;
      if (failed === undefined) return said;
      throw failed.error;
    } catch (error) {
      if (!(error instanceof OffsetStoreError) || !error.retryable || performance.now() > endsAt) throw error;
    }
  }
}

/** Claims a key and commits a position. */
export async function positioned(
  store: OffsetStore<unknown>,
  token: string,
  nextOffset: bigint,
  at = key,
): Promise<void> {
  await store.claim([{ key: at, token, owner: "o" }]);
  expect(await store.commit([{ key: at, token, nextOffset }])).toEqual([{ status: "committed" }]);
}

/** What a fetch of one key says. */
export async function fetchOf(store: OffsetStore<unknown>, at = key): Promise<FetchOutcome | undefined> {
  return (await store.fetch([at]))[0];
}

/** The record of a key, which must be there. */
export async function stored(store: OffsetStore<unknown>, at = key): Promise<OffsetRecord> {
  const outcome = await fetchOf(store, at);
  if (outcome?.status !== "found") throw new Error("there is no record", { cause: outcome });
  return outcome.record;
}

/** A token as sessions make them. */
export function newToken(): string {
  return randomBytes(16).toString("hex");
}
