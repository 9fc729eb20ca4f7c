import type { TcpProxy } from "./tcp-proxy.ts";

/** What a proxy can do to a client, in the form in which harnesses give it to the kit. */
export interface ConnectionFaults {
  interrupt(): Promise<() => Promise<void>>;
  silence(): Promise<() => Promise<void>>;
  loseAnswers(): Promise<() => Promise<void>>;
}

/** The members of a harness's client whose connections all go through these proxies. */
export function connectionFaults(
  ...proxies: readonly Pick<TcpProxy, "cut" | "silence" | "loseAnswers" | "restore">[]
): ConnectionFaults {
  const restore = async (): Promise<void> => proxies.forEach((proxy) => proxy.restore());
  const fault = async (begin: (proxy: (typeof proxies)[number]) => void): Promise<() => Promise<void>> => {
    proxies.forEach(begin);
    return restore;
  };
  return {
    interrupt: () => fault((proxy) => proxy.cut()),
    silence: () => fault((proxy) => proxy.silence()),
    loseAnswers: () => fault((proxy) => proxy.loseAnswers()),
  };
}
