import assert from "node:assert/strict";
import { inspect } from "node:util";

import type { OffsetKey } from "../../../key.ts";
import type { OffsetRecord } from "../../../offset-record.ts";
import type { CommitEntry } from "../../../offset-store.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { untilExpired } from "../expiry-times.ts";
import { type AnyStore, identities, listed } from "../outcomes.ts";
import { identity, type KeyAnswer, type KeyOperation, type ShownState } from "./key-model.ts";
import type { ModelCommand, Place, PlannedCommit } from "./model-command.ts";
import { timeless, timelessRecord } from "./observed.ts";
import { StoreModel } from "./store-model.ts";
import { withinRange } from "./vocabulary.ts";

/** How many clients commands are given to. */
export const MODEL_CLIENTS = 2;

/** One list of commands, carried out by a store and by the model, and compared answer by answer. */
export class ModelRun {
  /** What was called, one line each. */
  readonly calls: string[] = [];
  readonly #context: ConformanceContext;
  readonly #model = new StoreModel();
  readonly #times = new Map<string, number>();
  readonly #expired = new Set<string>();
  #second: AnyStore | undefined;

  /** @param context - a namespace of the run's own: nothing may be stored in it yet. */
  constructor(context: ConformanceContext) {
    this.#context = context;
  }

  /** Runs all, and compares what is left at the end. Rejects with what the last of `calls` got otherwise than the model. */
  async run(commands: readonly ModelCommand[]): Promise<void> {
    for (const command of commands) {
      this.#model.tick();
      await this.#carryOut(command);
    }
    for (const client of [0, 1]) await this.#carryOut({ verb: "list", client, filter: {} });
  }

  async #carryOut(command: ModelCommand): Promise<void> {
    const store = await this.#client(command.client);
    switch (command.verb) {
      case "claim": {
        this.#say(command, command.entries);
        return this.#compare("claim", command.entries, await store.claim(command.entries));
      }
      case "commit": {
        const entries = command.entries.map((entry) => this.#planned(entry));
        this.#say(command, entries);
        return this.#compare("commit", entries, await store.commit(entries));
      }
      case "reset": {
        const entries = command.entries.map(({ to, ...rest }) => ({ ...rest, nextOffset: this.#at(rest.key, to) }));
        this.#say(command, entries);
        return this.#compare("reset", entries, await store.reset(entries));
      }
      case "expire": {
        this.#say(command, command.entries);
        return this.#compare("expire", command.entries, await store.expire(command.entries));
      }
      case "fetch": {
        this.#say(command, command.keys);
        const entries = command.keys.map((key) => ({ key }));
        return this.#compare("fetch", entries, await store.fetch(command.keys));
      }
      case "list": {
        this.#say(command, command.filter);
        const records = await listed(store, command.filter);
        const expected = this.#model.list(command.filter);
        const withKey = (key: OffsetKey, record: OffsetRecord | ShownState) => [identity(key), timelessRecord(record)];
        assert.deepEqual(
          records.map((record) => withKey(record, record)).toSorted(byName),
          expected.map(({ key, record }) => withKey(key, record)).toSorted(byName),
        );
        for (const { key, record } of expected) {
          const seen = records.find((one) => identity(one) === identity(key));
          this.#compareTimes(key, seen, record);
        }
        return;
      }
      case "delete": {
        this.#say(command, command.selector);
        const { selector } = command;
        const keys = "keys" in selector ? selector.keys : this.#model.list(selector).map(({ key }) => key);
        const removed = await store.delete(selector);
        const expected = keys.filter((key) => this.#model.apply(key, { verb: "delete" }).status === "removed");
        return assert.deepEqual(identities(removed), identities(expected));
      }
      case "sweep": {
        this.#say(command, "expired: true");
        // What is left of the expired ones to sweep, the backend knows.
        const swept = await store.delete({ expired: true });
        const wrong = swept.filter((key) => !this.#expired.has(identity(key)) || this.#isThere(key));
        return assert.deepEqual(wrong, [], "the sweep removed what has not expired");
      }
      case "outlive":
        return this.#outlive(store, command.keys);
      case "reopen":
        this.#say(command, "");
        return void (await this.#context.reopen());
    }
  }

  /** The short time to live comes last, in one step: however slow the machine, nothing of it is in the model any more. */
  async #outlive(store: AnyStore, asked: readonly OffsetKey[]): Promise<void> {
    const { shortTtl } = this.#context;
    const keys = asked.filter((key) => this.#isThere(key));
    const entries = keys.map((key) => ({ key, ttl: shortTtl }));
    this.#say({ verb: "expire, and wait until it is gone:", client: 0 }, entries);
    assert.deepEqual(
      await store.expire(entries),
      entries.map(() => ({ status: "set" })),
    );
    await untilExpired(this.#context, keys, shortTtl);
    for (const key of keys) {
      this.#model.apply(key, { verb: "delete" });
      this.#expired.add(identity(key));
    }
  }

  #isThere(key: OffsetKey): boolean {
    return this.#model.apply(key, { verb: "fetch" }).status === "found";
  }

  #compare(
    verb: KeyOperation["verb"],
    entries: readonly { readonly key: OffsetKey }[],
    outcomes: readonly { readonly status: string; readonly record?: OffsetRecord | undefined }[],
  ): void {
    const answers = entries.map((entry) => this.#model.apply(entry.key, { verb, entry } as KeyOperation));
    assert.deepEqual(outcomes.map(timeless), answers.map(timeless));
    answers.forEach((answer: KeyAnswer, index) => {
      const key = entries[index]?.key;
      if (key === undefined || answer.record === undefined) return;
      const record = outcomes[index]?.record;
      assert.equal(record && identity(record), identity(key), "the record is another key's");
      this.#compareTimes(key, record, answer.record);
    });
  }

  /** A moment must show the same time whenever it is shown, to the step of a clock that has one (contract 3.5d). */
  #compareTimes(key: OffsetKey, record: OffsetRecord | undefined, expected: ShownState): void {
    const { granularityMs } = this.#context.capabilities.expiry;
    const toleranceMs = granularityMs > 1 ? granularityMs : 0;
    for (const field of ["claimedAt", "committedAt"] as const) {
      const stamp = expected[field];
      const seen = record?.[field]?.getTime();
      if (stamp === undefined || seen === undefined) continue;
      const moment = `${identity(key)} ${field} ${stamp}`;
      const before = this.#times.get(moment) ?? seen;
      this.#times.set(moment, before);
      const text = `${field} of ${identity(key)} was ${before} before and is ${seen}, and nothing has set it since`;
      assert.ok(Math.abs(seen - before) <= toleranceMs, text);
    }
  }

  #planned({ to, rewindFrom, recreateFor, ...rest }: PlannedCommit): CommitEntry {
    return {
      ...rest,
      ...(to !== undefined && { nextOffset: this.#at(rest.key, to) }),
      ...(rewindFrom !== undefined && { rewindFrom: this.#at(rest.key, rewindFrom) }),
      ...(recreateFor !== undefined && { recreate: true, owner: recreateFor }),
    };
  }

  #at(key: OffsetKey, place: Place): bigint {
    if (typeof place === "bigint") return place;
    return withinRange((this.#model.nextOffset(key) ?? 0n) + BigInt(place.fromStored));
  }

  /** The clients see the same records, each through a connection and with a memory of its own. */
  async #client(index: number): Promise<AnyStore> {
    if (index === 0) return this.#context.store;
    return (this.#second ??= (await this.#context.openAnother()).store);
  }

  #say({ verb, client }: { readonly verb: string; readonly client: number }, what: unknown): void {
    const said = Array.isArray(what) ? what.map(formatEntry).join(", ") : format(what);
    this.calls.push(`client ${client + 1}: ${verb} ${said}`);
  }
}

/** The key first, in a few characters, and then what there is beside it. */
function formatEntry(entry: OffsetKey | { readonly key: OffsetKey }): string {
  if (!("key" in entry)) return identity(entry);
  const { key, ...rest } = entry;
  return `${identity(key)} ${format(rest)}`;
}

function format(what: unknown): string {
  if (typeof what !== "object" || what === null) return String(what);
  const present = Object.fromEntries(Object.entries(what).filter(([, value]) => value !== undefined));
  return inspect(present, { depth: null, breakLength: Infinity, maxStringLength: 40 });
}

function byName([left]: readonly unknown[], [right]: readonly unknown[]): number {
  return String(left) < String(right) ? -1 : 1;
}
