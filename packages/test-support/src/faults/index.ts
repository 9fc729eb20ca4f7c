export { type CutOptions, openTcpProxy, type TcpProxy, type TcpProxyOptions } from "./tcp-proxy.ts";
export type { WireProtocolName, WireRequest } from "./wire-protocol.ts";
