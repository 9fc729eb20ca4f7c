export { describeEachStore, describeOnOwnServer, testedRemoteStores, testedStores } from "./describe-stores.ts";
export { findWrites } from "./find-writes.ts";
export type { OpenBackendOptions, StoreBackend, TestedRemoteStore, TestedStore } from "./store-backend.ts";
export { untilAnswered } from "./until-answered.ts";
