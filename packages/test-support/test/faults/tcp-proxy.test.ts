import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { openTcpProxy, type TcpProxy, type TcpProxyOptions } from "@tidemark/test-support/faults";
import { describe, expect, onTestFinished, test } from "vitest";

interface Bench {
  readonly proxy: TcpProxy;
  /** Everything that reached the server. */
  readonly received: () => string;
  /** The server's sockets. */
  readonly accepted: readonly Socket[];
}

/** A server that answers each piece of data as told, and a proxy before it. */
async function openBench(answer: (text: string) => string, protocol?: TcpProxyOptions["protocol"]): Promise<Bench> {
  const accepted: Socket[] = [];
  let received = "";
  const server = createServer((socket) => {
    accepted.push(socket);
    socket
      .on("error", () => undefined)
      .on("data", (chunk) => {
        received += chunk.toString("latin1");
        const text = answer(chunk.toString("latin1"));
        if (text !== "") socket.write(text, "latin1");
      });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy = await openTcpProxy({ port, ...(protocol !== undefined && { protocol }) });
  onTestFinished(async () => {
    await proxy.close();
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  return { proxy, received: () => received, accepted };
}

async function dial(proxy: TcpProxy): Promise<Socket> {
  const socket = connect(proxy.port, proxy.host);
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  // A proxy that is cut may reset it before this side knows of the connection.
  await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
  return socket;
}

async function nextText(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString("latin1");
}

/** Resolves when the socket is closed; tells what it heard until then. */
async function untilClosed(socket: Socket): Promise<string> {
  let heard = "";
  socket.on("data", (chunk) => (heard += chunk.toString("latin1")));
  // A reset is an error first, which is what is waited for here.
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return heard;
}

const resp = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;

test("passes bytes on exactly, both ways, however many and however slowly they are taken", async () => {
  const { proxy, accepted } = await openBench(() => "");
  const client = await dial(proxy);
  const sent = randomBytes(20_000_000);
  client.write("begin");
  const [server] = await (async () => {
    while (accepted.length === 0) await new Promise((resolve) => setImmediate(resolve));
    return accepted;
  })();
  server?.removeAllListeners("data").pause();
  client.write(sent);
  server?.write(sent);
  const collect = async (socket: Socket | undefined, bytes: number): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of socket?.iterator({ destroyOnReturn: false }) ?? []) {
      chunks.push(chunk as Buffer);
      if (chunks.reduce((sum, { length }) => sum + length, 0) >= bytes) break;
    }
    return Buffer.concat(chunks);
  };
  const down = await collect(client, sent.length);
  expect(down.equals(sent)).toBe(true);
  // Nobody read the server's side meanwhile, and the proxy did not take in what it could not pass on.
  expect(client.writableLength).toBeGreaterThan(0);
  const up = await collect(server, sent.length + 5);
  expect(up.subarray(-sent.length).equals(sent)).toBe(true);
});

test("hands on the end of either side", async () => {
  const { proxy, accepted } = await openBench((text) => text);
  const client = await dial(proxy);
  client.write("hello");
  expect(await nextText(client)).toBe("hello");
  const ended = once(accepted[0] as Socket, "end");
  client.end();
  await ended;
  await untilClosed(client);
  expect(proxy.connections).toBe(0);
});

test("a server that is not there is a connection that is closed at once", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  await using proxy = await openTcpProxy({ port });
  await untilClosed(await dial(proxy));
});

test("cut resets what is there and what comes; restore lets new connections work", async () => {
  const { proxy } = await openBench((text) => text);
  const client = await dial(proxy);
  client.write("one");
  await nextText(client);
  proxy.cut();
  await untilClosed(client);
  await untilClosed(await dial(proxy));
  proxy.restore();
  const again = await dial(proxy);
  again.write("two");
  expect(await nextText(again)).toBe("two");
  proxy.dropConnections();
  await untilClosed(again);
});

test("silence accepts and answers nothing; restore resets what was silenced", async () => {
  const { proxy, received } = await openBench((text) => text);
  const before = await dial(proxy);
  before.write("one");
  await nextText(before);
  proxy.silence();
  before.write("lost");
  const during = await dial(proxy);
  during.write("lost too");
  await new Promise((resolve) => setTimeout(resolve, 50));
  proxy.restore();
  expect(await Promise.all([untilClosed(before), untilClosed(during)])).toEqual(["", ""]);
  expect(received()).toBe("one");
});

test("delay holds back every answer", async () => {
  const { proxy } = await openBench((text) => text);
  const client = await dial(proxy);
  proxy.delay(80);
  const startedAt = performance.now();
  client.write("one");
  expect(await nextText(client)).toBe("one");
  expect(performance.now() - startedAt).toBeGreaterThan(75);
});

describe("requests of Redis' protocol", () => {
  test("are counted, however they are cut into packets", async () => {
    const { proxy } = await openBench(() => "", "resp");
    const client = await dial(proxy);
    client.setNoDelay(true);
    const bytes = Buffer.from(`${resp("set", "schlüssel", "a\r\nb")}${resp("GET", "k")}PING\r\n`);
    for (const byte of bytes) {
      client.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => proxy.requests.length).toBe(3);
    expect(proxy.takeRequests()).toEqual([
      { name: "SET", target: "schlüssel" },
      { name: "GET", target: "k" },
      { name: "PING", target: "" },
    ]);
    expect(proxy.requests).toEqual([]);
  });

  test("cut before: the server never sees the request; others are not hurt", async () => {
    const { proxy, received } = await openBench(() => "+OK\r\n", "resp");
    const happened = proxy.cutBeforeRequest({ match: ({ name }) => name === "SET" });
    const client = await dial(proxy);
    client.write(resp("GET", "a"));
    expect(await nextText(client)).toBe("+OK\r\n");
    client.write(resp("SET", "a", "1"));
    expect(await happened).toEqual({ name: "SET", target: "a" });
    await untilClosed(client);
    expect(received()).toBe(resp("GET", "a"));
    const again = await dial(proxy);
    again.write(resp("SET", "a", "1"));
    expect(await nextText(again)).toBe("+OK\r\n");
  });

  test("cut after waits for the request's own answer; those before it in the same batch are lost too", async () => {
    const { proxy, received, accepted } = await openBench(() => "", "resp");
    let happened = false;
    void proxy.cutAfterRequest({ match: ({ target }) => target === "b" }).then(() => (happened = true));
    const client = await dial(proxy);
    client.write(resp("SET", "a", "1") + resp("SET", "b", "1"));
    await expect.poll(received).toBe(resp("SET", "a", "1") + resp("SET", "b", "1"));
    const heard = untilClosed(client);
    accepted[0]?.write("+OK\r\n");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(happened).toBe(false);
    accepted[0]?.write("+OK\r\n");
    expect(await heard).toBe("");
    expect(happened).toBe(true);
  });

  test("cut after counts answers of every type, and no pushes", async () => {
    const answers: Record<string, string> = {
      first: "%1\r\n$1\r\na\r\n*3\r\n:1\r\n_\r\n$-1\r\n>2\r\n+invalidate\r\n*-1\r\n",
      second: "*2\r\n,1.5\r\n=5\r\ntxt:x\r\n",
    };
    const { proxy } = await openBench(
      (text) => Object.entries(answers).find(([key]) => text.includes(key))?.[1] ?? "",
      "resp",
    );
    const client = await dial(proxy);
    client.write(resp("GET", "first"));
    expect(await nextText(client)).toBe(answers["first"]);
    const happened = proxy.cutAfterRequest({ stayCut: true });
    client.write(resp("GET", "second"));
    expect(await happened).toEqual({ name: "GET", target: "second" });
    expect(await untilClosed(client)).toBe("");
    await untilClosed(await dial(proxy));
  });

  test("what is no Redis shows when the proxy is closed", async () => {
    const { port } = (await openBench(() => "what?\r\n")).proxy;
    const proxy = await openTcpProxy({ port, protocol: "resp" });
    const client = await dial(proxy);
    client.write(resp("GET", "a"));
    await untilClosed(client);
    await expect(proxy.close()).rejects.toThrow("was not resp");
  });
});

/** A message of MongoDB's protocol. */
function mongoMessage(operation: number, body: Buffer): string {
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + body.length, 0);
  header.writeInt32LE(operation, 12);
  return Buffer.concat([header, body]).toString("latin1");
}

/** A document of one field, a string or a 32-bit number. */
function document(field: string, value: string | number): Buffer {
  const text = typeof value === "string" ? Buffer.from(`${value}\0`) : Buffer.alloc(0);
  const number = Buffer.alloc(4);
  number.writeInt32LE(typeof value === "string" ? text.length : value);
  const inner = Buffer.concat([
    Buffer.from([typeof value === "string" ? 2 : 16]),
    Buffer.from(`${field}\0`),
    number,
    text,
  ]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(4 + inner.length + 1);
  return Buffer.concat([length, inner, Buffer.from([0])]);
}

test("requests of MongoDB's protocol are named by their command and collection", async () => {
  const reply = mongoMessage(2013, Buffer.concat([Buffer.alloc(4), Buffer.from([0]), document("ok", 1)]));
  const { proxy, received } = await openBench(() => reply, "mongo");
  const client = await dial(proxy);
  const legacy = Buffer.concat([Buffer.alloc(4), Buffer.from("admin.$cmd\0"), Buffer.alloc(8), document("hello", 1)]);
  client.write(mongoMessage(2004, legacy), "latin1");
  await nextText(client);
  const documents = Buffer.concat([Buffer.from("updates\0"), document("q", 1)]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(4 + documents.length);
  const update = Buffer.concat([
    Buffer.alloc(4),
    Buffer.concat([Buffer.from([1]), length, documents]),
    Buffer.from([0]),
    document("update", "offsets"),
  ]);
  const message = mongoMessage(2013, update);
  client.write(message.slice(0, 30), "latin1");
  await new Promise((resolve) => setImmediate(resolve));
  const happened = proxy.cutAfterRequest();
  client.write(message.slice(30), "latin1");
  expect(await happened).toEqual({ name: "update", target: "offsets" });
  expect(await untilClosed(client)).toBe("");
  expect(received().endsWith(message)).toBe(true);
  expect(proxy.requests).toEqual([
    { name: "hello", target: "" },
    { name: "update", target: "offsets" },
  ]);
});

test("requests of PostgreSQL's protocol are named by their statement, and end when the server is ready again", async () => {
  const message = (type: string, text: string): string => {
    const body = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeInt32BE(4 + body.length);
    return Buffer.concat([Buffer.from(type), length, body]).toString("latin1");
  };
  const ready = message("Z", "I");
  const { proxy, received } = await openBench(
    (text) => (["Q\0\0\0", "S\0\0\0\u0004", "user"].some((part) => text.includes(part)) ? ready : ""),
    "postgres",
  );
  const client = await dial(proxy);
  const startup = message("", "\0\u0003\0\0user\0postgres\0\0");
  client.write(startup, "latin1");
  expect(await nextText(client)).toBe(ready);
  const sync = message("S", "");
  const statement = (text: string) =>
    message("P", `\0${text}\0\0\0`) + message("B", "\0\0\0\0") + message("E", "\0") + sync;
  const update = statement("WITH stamp AS (SELECT), part AS (UPDATE t SET a = 1) SELECT");
  for (const request of [message("Q", "BEGIN\0"), update]) {
    client.write(request.slice(0, 9), "latin1");
    await new Promise((resolve) => setImmediate(resolve));
    client.write(request.slice(9), "latin1");
    expect(await nextText(client)).toBe(ready);
  }
  expect(proxy.takeRequests().map(({ name }) => name)).toEqual(["STARTUP", "BEGIN", "UPDATE"]);
  const happened = proxy.cutAfterRequest({ match: ({ name }) => name === "UPDATE" });
  client.write(statement("SELECT 1"), "latin1");
  expect(await nextText(client)).toBe(ready);
  client.write(update, "latin1");
  expect(await happened).toEqual({ name: "UPDATE", target: "" });
  expect(await untilClosed(client)).toBe("");
  expect(received().endsWith(update)).toBe(true);
});

test("requests of HTTP are told apart on one connection, with bodies of a length, in chunks and without", async () => {
  const { proxy, received } = await openBench(
    (text) => (/ HTTP\/1.1\r\n/.test(text) ? "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" : ""),
    "http",
  );
  const client = await dial(proxy);
  const put = "PUT /b/k?x-id=PutObject HTTP/1.1\r\nContent-Length: 21\r\n\r\nGET /no HTTP/1.1\r\n\r\n!";
  const chunked = "PUT /b/c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nchecksum: x\r\n\r\n";
  const get = "GET /b?list-type=2 HTTP/1.1\r\nhost: x\r\n\r\n";
  for (const request of [put, chunked, get]) {
    client.write(request.slice(0, 10));
    await new Promise((resolve) => setImmediate(resolve));
    client.write(request.slice(10));
    await nextText(client);
  }
  expect(proxy.takeRequests()).toEqual([
    { name: "PUT", target: "/b/k?x-id=PutObject" },
    { name: "PUT", target: "/b/c" },
    { name: "GET", target: "/b?list-type=2" },
  ]);
  expect(received()).toBe(put + chunked + get);
  const after = proxy.cutAfterRequest({ match: ({ name }) => name === "PUT" });
  client.write(put);
  expect(await after).toMatchObject({ name: "PUT" });
  expect(await untilClosed(client)).toBe("");
  const before = proxy.cutBeforeRequest();
  const again = await dial(proxy);
  again.write(get);
  expect(await before).toMatchObject({ name: "GET" });
  expect(await untilClosed(again)).toBe("");
  expect(received()).toBe(put + chunked + get + put);
});

describe("requests of Kafka's protocol", () => {
  const message = (...bytes: number[]) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return Buffer.concat([length, Buffer.from(bytes)]).toString("latin1");
  };
  const fetch = message(0, 1, 0, 12, 0, 0, 0, 7, 0, 0);
  const metadata = message(0, 3, 0, 11, 0, 0, 0, 8, 0, 0);

  test("are counted, and one is cut in the middle of its answer: what came before that is heard", async () => {
    const { proxy } = await openBench(
      (text) => message(...Buffer.from(`1234${text === fetch ? "abcdef" : ""}`)),
      "kafka",
    );
    const happened = proxy.cutWithinAnswer(10, { match: ({ name }) => name === "Fetch" });
    const client = await dial(proxy);
    client.write(metadata, "latin1");
    expect(await nextText(client)).toBe(message(...Buffer.from("1234")));
    client.write(fetch, "latin1");
    expect(await untilClosed(client)).toBe(message(...Buffer.from("1234abcdef")).slice(0, 10));
    expect(await happened).toEqual({ name: "Fetch", target: "v12" });
    expect(proxy.requests.map(({ name }) => name)).toEqual(["Metadata", "Fetch"]);
  });

  test("one is cut in the middle of its answer on another connection, where the first is used no more", async () => {
    const { proxy } = await openBench(() => message(...Buffer.from("1234abcdef")), "kafka");
    const happened = proxy.cutWithinAnswer(20, { match: ({ name }) => name === "Fetch" });
    const left = await dial(proxy);
    left.write(fetch, "latin1");
    expect(await nextText(left)).toBe(message(...Buffer.from("1234abcdef")));
    left.destroy();
    const idle = await dial(proxy);
    const client = await dial(proxy);
    client.write(fetch, "latin1");
    // 14 bytes of the 20 are those of the first answer.
    expect(await untilClosed(client)).toBe(message(...Buffer.from("1234abcdef")).slice(0, 6));
    expect(await happened).toEqual({ name: "Fetch", target: "v12" });
    idle.write(fetch, "latin1");
    expect(await nextText(idle)).toBe(message(...Buffer.from("1234abcdef")));
  });

  test("an answer that a client does not wait for is not lost: that of its next request is", async () => {
    const { proxy, received } = await openBench(
      (text) => (text === fetch ? message(...Buffer.from("1234abcdef")) : ""),
      "kafka",
    );
    const happened = proxy.cutAfterRequest();
    const left = await dial(proxy);
    left.write(metadata, "latin1");
    await expect.poll(received).toBe(metadata);
    left.destroy();
    await expect.poll(() => proxy.connections).toBe(0);
    const client = await dial(proxy);
    client.write(fetch, "latin1");
    expect(await untilClosed(client)).toBe("");
    expect(await happened).toMatchObject({ name: "Fetch" });
  });
});
