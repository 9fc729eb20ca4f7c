import { assert } from "../assert.ts";
import { driverOf } from "../../driver/driver-of-store.ts";
import type { OffsetStoreDriver, OwnTransaction } from "../../driver/driver.ts";
import type { OffsetKey } from "../../key.ts";
import type { StoreCapabilities } from "../../offset-store.ts";
import { CaseClients, newNamespace } from "../case-clients.ts";
import { openStore } from "../store/open-store.ts";
import type { OpenedStore, OpenStoreOptions, StoreHarness } from "../store/store-harness.ts";

/** The drivers that cases work on: what transaction they take does not matter to them. */
export type AnyDriver = OffsetStoreDriver<unknown>;

/** What a case of a driver works with: one of its own, and more clients on demand. */
export class DriverConformanceContext extends CaseClients<OpenedStore, OpenStoreOptions> {
  /** Opens the first client in a new namespace. */
  static async open(harness: StoreHarness): Promise<DriverConformanceContext> {
    const namespace = newNamespace();
    return new DriverConformanceContext(harness, namespace, await openStore(harness, { namespace }));
  }

  /** The first client's driver. */
  get driver(): AnyDriver {
    return this.driverOf(this.opened);
  }

  get capabilities(): StoreCapabilities {
    return this.driver.capabilities;
  }

  /** The driver of a client. */
  driverOf({ store }: OpenedStore): AnyDriver {
    const driver = driverOf(store);
    assert.ok(
      driver,
      "the store that the harness opens does not come from createOffsetStore: it has no driver to test",
    );
    return driver;
  }

  /** So many drivers on the same data, the first client's among them. */
  async drivers(count: number): Promise<AnyDriver[]> {
    const others = await Promise.all(Array.from({ length: count - 1 }, () => this.openAnother()));
    return [this.opened, ...others].map((opened) => this.driverOf(opened));
  }

  /**
   * Begins a transaction of the first client's driver; one that is open at the end of the case is rolled back. `undefined`
   * where it begins none: then the case has said so.
   */
  async begin(): Promise<OwnTransaction<unknown> | undefined> {
    const { begin } = this.driver;
    if (begin === undefined) {
      this.notPromised("no `begin`");
      return undefined;
    }
    const own = await begin.call(this.driver, { signal: new AbortController().signal });
    const { transaction, isSynchronous } = own;
    return { transaction, isSynchronous, commit: () => own.commit(), rollback: this.finishing(() => own.rollback()) };
  }

  /** Damages an entry; false where an entry has no form that could be damaged. */
  async corrupt(key: OffsetKey): Promise<boolean> {
    if (this.opened.corrupt === undefined) {
      assert.equal(this.capabilities.durability, "none", 'where durability is not "none" a harness needs `corrupt`');
      return false;
    }
    await this.opened.corrupt(key);
    return true;
  }
}
