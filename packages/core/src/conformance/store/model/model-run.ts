import { assert } from "../../assert.ts";
import { inspect } from "node:util";

import type { OffsetKey } from "../../../key.ts";
import type { OffsetRecord } from "../../../offset-record.ts";
import type { CommitEntry } from "../../../offset-store.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { untilExpired } from "../expiry-times.ts";
import { type AnyStore, identities, listed } from "../outcomes.ts";
import { identity, type KeyAnswer, type KeyOperation, type ShownState } from "./key-model.ts";
import type { ModelCommand, Place, PlannedCommit } from "./model-command.ts";
import { type Observed, timeless, timelessRecord, withoutEpochs } from "./observed.ts";
import { type ObservedEpoch, ObservedEpochs } from "./observed-epochs.ts";
import { StoreModel } from "./store-model.ts";
import { rangesBeyond, withinRange } from "./vocabulary.ts";

/** How many clients commands are given to. */
export const MODEL_CLIENTS = 2;

/** One list of commands, carried out by a store and by the model, and compared answer by answer. */
export class ModelRun {
  /** What was called, one line each. */
  readonly calls: string[] = [];
  readonly #context: ConformanceContext;
  readonly #model = new StoreModel();
  readonly #times = new Map<string, number>();
  readonly #epochs = new ObservedEpochs();
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
        const epochs = command.entries.map(({ key, epochsAgo }) =>
          epochsAgo === undefined ? undefined : this.#epochs.told(key, epochsAgo),
        );
        const entries = command.entries.map((entry, index) => this.#planned(entry, epochs[index]));
        this.#say(command, entries);
        const outcomes = await store.commit(entries);
        // To the model an epoch has another name.
        const named = entries.map((entry, index) => ({ ...entry, epoch: epochs[index]?.name }));
        return this.#compare("commit", named, outcomes);
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
        const withKey = (key: OffsetKey, record: OffsetRecord | ShownState) => [
          identity(key),
          withoutEpochs(timelessRecord(record)),
        ];
        assert.deepEqual(
          records.map((record) => withKey(record, record)).toSorted(byName),
          expected.map(({ key, record }) => withKey(key, record)).toSorted(byName),
        );
        for (const { key, record } of expected) {
          const seen = records.find((one) => identity(one) === identity(key));
          this.#compareNames(key, seen, record);
        }
        return;
      }
      case "delete": {
        this.#say(command, command.selector);
        const { selector } = command;
        const keys = "keys" in selector ? selector.keys : this.#model.list(selector).map(({ key }) => key);
        const removed = await store.delete(selector);
        const expected = keys.filter((key) => this.#removed(key));
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
      this.#removed(key);
      this.#expired.add(identity(key));
    }
  }

  /** Removes the key from the model, and gives whether it was there. */
  #removed(key: OffsetKey): boolean {
    this.#epochs.gone(key);
    return this.#model.apply(key, { verb: "delete" }).status === "removed";
  }

  #isThere(key: OffsetKey): boolean {
    return this.#model.apply(key, { verb: "fetch" }).status === "found";
  }

  #compare(
    verb: KeyOperation["verb"],
    entries: readonly { readonly key: OffsetKey }[],
    outcomes: readonly Observed[],
  ): void {
    const answers = entries.map((entry) => this.#model.apply(entry.key, { verb, entry } as KeyOperation));
    const comparable = (answer: Observed | KeyAnswer) => withoutEpochs(timeless(answer));
    assert.deepEqual(outcomes.map(comparable), answers.map(comparable));
    answers.forEach((answer: KeyAnswer, index) => {
      const [key, outcome] = [entries[index]?.key, outcomes[index]];
      if (key === undefined || outcome === undefined) return;
      const { record } = outcome;
      if (answer.record !== undefined) {
        assert.equal(record && identity(record), identity(key), "the record is another key's");
        this.#compareNames(key, record, answer.record);
      }
      if (answer.epoch !== undefined && outcome.epoch !== undefined) {
        this.#epochs.learn(key, answer.epoch, outcome.epoch);
      }
    });
  }

  /**
   * What only the store's clock can name: a moment must show the same time whenever it is shown, to the step of a clock that
   * has one (contract 3.5d), and an epoch the same number (contract 3.2e).
   */
  #compareNames(key: OffsetKey, record: OffsetRecord | undefined, expected: ShownState): void {
    if (record === undefined) return;
    for (const field of ["claimedAt", "committedAt", "updatedAt"] as const) {
      this.#compareTimes(key, field, record[field], expected[field]);
    }
    this.#compareTimes(key, "resetFrom.at", record.resetFrom?.at, expected.resetFrom?.at);
    this.#epochs.learn(key, expected.epoch, record.epoch);
  }

  #compareTimes(key: OffsetKey, field: string, time: Date | undefined, stamp: number | undefined): void {
    const { granularityMs } = this.#context.capabilities.expiry;
    const toleranceMs = granularityMs > 1 ? granularityMs : 0;
    const seen = time?.getTime();
    if (stamp === undefined || seen === undefined) return;
    const moment = `${identity(key)} ${field} ${stamp}`;
    const before = this.#times.get(moment) ?? seen;
    this.#times.set(moment, before);
    const text = `${field} of ${identity(key)} was ${before} before and is ${seen}, and nothing has set it since`;
    assert.ok(Math.abs(seen - before) <= toleranceMs, text);
  }

  #planned(planned: PlannedCommit, epoch: ObservedEpoch | undefined): CommitEntry {
    const { to, epochsAgo: _, acknowledged, recreateFor, ...rest } = planned;
    const nextOffset = to === undefined ? undefined : this.#at(rest.key, to);
    return {
      ...rest,
      ...(epoch !== undefined && { epoch: epoch.number }),
      ...(nextOffset !== undefined && { nextOffset }),
      ...(acknowledged !== undefined &&
        nextOffset !== undefined && { acknowledged: rangesBeyond(nextOffset, acknowledged) }),
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
