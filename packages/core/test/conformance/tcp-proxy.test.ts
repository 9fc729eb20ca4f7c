import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { connectionFaults, openTcpProxy, type TcpProxy } from "@tidemark/core/conformance";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let server: Server;
let proxy: TcpProxy;
let received = "";

beforeEach(async () => {
  received = "";
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      received += String(bytes);
      socket.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await openTcpProxy({ port: (server.address() as AddressInfo).port });
});

afterEach(async () => {
  await proxy.close();
  server.close();
});

async function client(): Promise<Socket> {
  const socket = connect({ host: proxy.host, port: proxy.port });
  await once(socket, "connect");
  // Who is connected when the proxy ends is reset too.
  socket.on("error", () => undefined);
  return socket;
}

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return String(bytes);
}

async function resets(socket: Socket): Promise<void> {
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
}

describe("a proxy", () => {
  it("hands on what comes, both ways and to the end, more than a socket takes at once too", async () => {
    const socket = await client();
    assert.equal(await echo(socket, "hello"), "hello");
    const large = "x".repeat(4_000_000);
    let answered = 0;
    socket.on("data", (bytes) => (answered += bytes.length));
    socket.end(large);
    await once(socket, "close");
    assert.equal(answered, large.length);
  });

  it("cuts every connection, and each new one, until it is restored", async () => {
    const socket = await client();
    assert.equal(await echo(socket, "before"), "before");
    assert.equal(proxy.connections, 1);
    const restore = await connectionFaults(proxy).interrupt();
    await resets(socket);
    const refused = connect({ host: proxy.host, port: proxy.port });
    await resets(refused);
    await restore();
    assert.equal(await echo(await client(), "after"), "after");
  });

  it("lets nothing through in silence, and resets what cannot go on", async () => {
    const socket = await client();
    assert.equal(await echo(socket, "before"), "before");
    const restore = await connectionFaults(proxy).silence();
    socket.write("lost");
    const late = await client();
    late.write("lost");
    const ended = Promise.all([resets(socket), resets(late)]);
    await restore();
    await ended;
    assert.equal(await echo(await client(), "after"), "after");
    assert.equal(received, "beforeafter");
  });

  it("loses answers of what arrives", async () => {
    const socket = await client();
    let answers = 0;
    socket.on("data", () => (answers += 1));
    const restore = await connectionFaults(proxy).loseAnswers();
    socket.write("arrives");
    await expect.poll(() => received).toBe("arrives");
    const ended = resets(socket);
    await restore();
    await ended;
    assert.equal(answers, 0);
  });

  it("fails its clients as the server does that is not there", async () => {
    const nowhere = await openTcpProxy({ port: 1 });
    const socket = connect({ host: nowhere.host, port: nowhere.port });
    await resets(socket);
    await nowhere.close();
    await nowhere.close();
  });
});
