import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isIP } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf } from "../failure/report-failure.ts";
import { withoutSecrets } from "../text/secrets.ts";
import { METRICS_TYPE, metricsText } from "./metrics-text.ts";
import type { Monitor } from "./monitor.ts";
import { consumerData, pageData } from "./page-data.ts";
import { readPageFiles, type PageFile } from "./page-files.ts";

/** Where the monitor is served. */
export interface MonitorServerOptions {
  readonly monitor: Monitor;
  /** What the page calls the store. */
  readonly store: string;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** The page and the metrics, served. */
export interface MonitorServer extends AsyncDisposable {
  /** Ends with a slash. */
  readonly url: string;
}

/** Serves the page and the metrics. All of it only reads. Rejects where the address is taken. */
export async function serveMonitor(options: MonitorServerOptions): Promise<MonitorServer> {
  const answer = createAnswers(options, await readPageFiles());
  const isOnLoopback = isLoopback(options.host);
  const server = createServer((request, response) => {
    response.setHeader("cache-control", "no-store");
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("referrer-policy", "no-referrer");
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end("this page is read-only\n");
    } else if (isOnLoopback && !isLoopback(hostOf(request))) {
      // A page from elsewhere that gave its own name this address would read what only this machine may.
      response
        .writeHead(403)
        .end("the monitor only accepts requests from this machine: open it as localhost, or start it with --host\n");
    } else {
      answer(request, response).catch((error: unknown) => {
        // In the middle of an answer it can only be broken off; who has left it needs none.
        if (response.headersSent) response.destroy();
        else response.writeHead(500).end(`${withoutSecrets(messageOf(error))}\n`);
      });
    }
  });
  server.listen(options.port, options.host);
  await once(server, "listening");
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${isIP(address) === 6 ? `[${address}]` : address}:${port}/`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Whether only this machine can reach the host of this name. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/.test(host);
}

function hostOf({ headers: { host = "" } }: IncomingMessage): string {
  return host.replace(/:\d+$/, "");
}

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

function createAnswers({ monitor, store }: MonitorServerOptions, files: ReadonlyMap<string, PageFile>): Answer {
  return async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const file = files.get(pathname);
    if (file !== undefined) {
      if (file.policy !== undefined) response.setHeader("content-security-policy", file.policy);
      response.writeHead(200, { "content-type": file.type }).end(file.content);
    } else if (pathname === "/metrics") {
      response.writeHead(200, { "content-type": METRICS_TYPE });
      await pipeline(Readable.from(metricsText(monitor)), response);
    } else if (pathname === "/data/consumers") {
      sendJson(response, pageData(monitor, store));
    } else if (pathname === "/data/consumer") {
      sendJson(response, consumerData(monitor, searchParams.get("name") ?? ""));
    } else {
      response.writeHead(404).end("there is no such page\n");
    }
  };
}

function sendJson(response: ServerResponse, data: unknown): void {
  if (data === undefined) response.writeHead(404).end("there is no such consumer\n");
  else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(data));
}
