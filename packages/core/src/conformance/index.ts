export { driverConformanceCases } from "./driver/cases/index.ts";
export type { DriverConformanceCase, DriverVerb } from "./driver/driver-case.ts";
export type { AnyDriver, DriverConformanceContext } from "./driver/driver-context.ts";
export { type CaseClient, CaseClients, type CaseHarness } from "./case-clients.ts";
export type { Peer, PeerStatuses, PeerTask } from "./store/peer-process.ts";
export { hasDriver, runDriverCase, testOffsetStoreDriver } from "./driver/test-offset-store-driver.ts";
export { type ConnectionFaults, connectionFaults } from "./faults/connection-faults.ts";
export { openTcpProxy, type TcpProxy, type TcpProxyOptions } from "./faults/tcp-proxy.ts";
export { findHistoryFault, type HistoryFault } from "./history/find-history-fault.ts";
export { type Interval, linearize, type Linearization, type SequentialModel } from "./history/linearize.ts";
export { type RandomClientsOptions, runRandomClients } from "./history/random-clients.ts";
export { createHistoryRecorder, type HistoryRecorder, type RecordingStore } from "./history/record-history.ts";
export type { RecordedCall, RecordedExchange, RecordedVerb } from "./history/recorded-call.ts";
export { storeConformanceCases } from "./store/cases/index.ts";
export type { ConformanceCase } from "./store/conformance-case.ts";
export type { ConformanceContext } from "./store/conformance-context.ts";
export type { OpenedStore, OpenStoreOptions, OpenTransaction, StoreHarness } from "./store/store-harness.ts";
export {
  type ConformanceRunner,
  runStoreCase,
  testOffsetStore,
  type TestOffsetStoreOptions,
} from "./store/test-offset-store.ts";
export { offsetResetPolicyCases, type OffsetResetPolicyCase } from "./policy/cases.ts";
export { type OffsetResetPolicyTestSubject, testOffsetResetPolicy } from "./policy/test-offset-reset-policy.ts";
export { sourceConformanceCases } from "./source/cases/index.ts";
export type { SourceConformanceCase } from "./source/source-case.ts";
export type { OpenedSource, SourceAbility, SourceHarness } from "./source/source-harness.ts";
export { runSourceCase, testLogSource } from "./source/test-log-source.ts";
export type { Untried } from "./untried.ts";
