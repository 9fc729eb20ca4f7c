import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** One request as it came to the proxy. */
export interface ProxiedRequest {
  readonly method: string;
  /** Bucket and key, decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What happens to one request instead of being passed on and answered. */
export type Fault =
  /** It never reaches the server, which seems to answer this. */
  | {
      readonly kind: "refuse";
      readonly status: number;
      readonly code: string;
      readonly headers?: Record<string, string>;
    }
  /** It never reaches the server: somebody on the way answers. */
  | { readonly kind: "page"; readonly status: number; readonly type: string; readonly text: string }
  /** The server carries it out, and seems to answer this. */
  | { readonly kind: "misreport"; readonly status: number; readonly code: string }
  /** The server carries it out, and the connection breaks before the answer. */
  | { readonly kind: "lose-answer" }
  /** It reaches the server only then, whether or not anybody still waits for the answer. */
  | { readonly kind: "hold"; readonly until: Promise<unknown>; readonly andThen?: Fault }
  /** Headers of the answer are changed, and it is held back until then; `undefined` removes a header. */
  | {
      readonly kind: "headers";
      readonly change: (headers: IncomingHttpHeaders) => Record<string, string | undefined>;
      readonly until?: () => Promise<unknown>;
    };

/** An HTTP proxy before an S3 server: counts what passes, and does to it what no server does when asked. */
export interface S3Proxy {
  readonly url: string;
  /** All requests so far, for example `PUT /bucket/a/b`. */
  readonly requests: string[];
  /** Asked about every request. */
  intercept: (request: ProxiedRequest) => Fault | undefined;
  /** Requests that were sent on and whose answer has come back. */
  readonly answered: () => number;
}

/** Opens a proxy that is closed after the running test. Signatures stay valid: the host's name passes unchanged. */
export async function openS3Proxy(endpoint: string): Promise<S3Proxy> {
  const target = new URL(endpoint);
  const agent = new Agent({ keepAlive: true });
  let answered = 0;
  const proxy = {
    url: "",
    requests: [] as string[],
    intercept: (): Fault | undefined => undefined,
    answered: () => answered,
  };
  const server = createServer((incoming, outgoing) => {
    void pass(incoming, outgoing).catch(() => outgoing.destroy());
  });

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = Buffer.concat(await Array.fromAsync(incoming as AsyncIterable<Buffer>));
    const url = new URL(incoming.url ?? "/", target);
    const path = decodeURIComponent(url.pathname);
    const method = incoming.method ?? "";
    const isList = url.searchParams.has("list-type");
    proxy.requests.push(`${isList ? "LIST" : method} ${path}`);
    let fault = (proxy as S3Proxy).intercept({
      method: isList ? "LIST" : method,
      path,
      query: url.searchParams,
      headers: incoming.headers,
      body,
    });
    if (fault?.kind === "refuse") return answer(outgoing, fault.status, fault.code, fault.headers);
    if (fault?.kind === "page") {
      return void outgoing.writeHead(fault.status, { "content-type": fault.type }).end(fault.text);
    }
    if (fault?.kind === "hold") {
      await fault.until;
      fault = fault.andThen;
    }
    const result = await forward(incoming, body);
    answered += 1;
    if (fault?.kind === "lose-answer") return void outgoing.destroy();
    if (fault?.kind === "misreport") return answer(outgoing, fault.status, fault.code);
    const headers: Record<string, string | string[] | undefined> = { ...result.headers };
    if (fault?.kind === "headers") {
      await fault.until?.();
      Object.assign(headers, fault.change(result.headers));
    }
    outgoing.sendDate = false;
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) outgoing.setHeader(name, value);
    outgoing.writeHead(result.status).end(result.body);
  }

  async function forward(
    incoming: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request(
      {
        host: target.hostname,
        port: target.port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
        agent,
      },
      resolve,
    )
      .on("error", reject)
      .end(body);
    const result = await promise;
    const content = Buffer.concat(await Array.fromAsync(result as AsyncIterable<Buffer>));
    const { connection: _, "transfer-encoding": __, ...headers } = result.headers;
    return { status: result.statusCode ?? 500, headers, body: content };
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(async () => {
    agent.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return proxy;
}

function answer(outgoing: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  outgoing
    .writeHead(status, { "content-type": "application/xml", ...headers })
    .end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>As asked.</Message></Error>`);
}

/** Does this once, to the first request that it fits, and lets all others pass. */
export function once(fits: (request: ProxiedRequest) => boolean, fault: Fault): S3Proxy["intercept"] {
  let isDone = false;
  return (incoming) => {
    if (isDone || !fits(incoming)) return undefined;
    isDone = true;
    return fault;
  };
}

/** A request that writes an object of positions: not one of the probe's. */
export function isWrite({ method, path }: ProxiedRequest): boolean {
  return method === "PUT" && path.endsWith("/offsets.ndjson");
}
