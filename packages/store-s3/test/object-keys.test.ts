import { describe, expect, it } from "vitest";
import { ObjectKeys } from "../src/object-keys.ts";

const NAMES = [
  ...["orders", "a.b-c_d", "topic1", "topic10", "Topic1", "0", "x".repeat(255), "x".repeat(254)],
  ...[
    "/",
    "a/b",
    "a/",
    "/a",
    ".",
    "..",
    "...",
    ".a",
    "a.",
    "../..",
    "..".repeat(100),
    "\\",
    "%",
    "%2F",
    "!",
    "!2F",
    "!!",
  ],
  ...[
    "!_",
    "!-",
    "!_a",
    "!-a",
    "!h",
    "~",
    "\0",
    "\n",
    "\u007f",
    "é",
    "e\u0301",
    "ß",
    "🌊",
    "\ufeffa",
    "a\ufffd",
    " ",
    "a ",
  ],
  ...[
    "/".repeat(85),
    "/".repeat(86),
    "/".repeat(150),
    "/".repeat(151),
    "/".repeat(255),
    "é".repeat(127),
    "🌊".repeat(63),
  ],
  ...["offsets.ndjson", "a/offsets.ndjson", "__proto__", "con"],
];

describe("object keys", () => {
  const keys = new ObjectKeys("p/q", "tidemark");

  it("keep plain names readable (contract 3.7d)", () => {
    const position = { consumer: "billing", topic: "orders.v1", partition: 7 };
    expect(keys.keyOf(position)).toBe("p/q/tidemark/billing/orders.v1/offsets.ndjson");
    expect(keys.keyOf({ consumer: "a/b", topic: "..", partition: 0 })).toBe("p/q/tidemark/a!2Fb/!2E./offsets.ndjson");
    const member = { consumer: "billing", topic: "orders.v1", member: "worker-1" };
    expect(keys.keyOf(member)).toBe("p/q/tidemark/billing/orders.v1/members/worker-1");
    expect(keys.keyOf({ ...member, member: "" })).toBe("p/q/tidemark/billing/orders.v1/group.ndjson");
    expect(new ObjectKeys("", "n").keyOf({ consumer: "c", topic: "t", partition: 0 })).toBe("n/c/t/offsets.ndjson");
    expect(new ObjectKeys("p/", "n").root).toBe("p/n/");
  });

  it("are distinct, lead back, and are never the folder of another", () => {
    const seen = new Set<string>();
    for (const consumer of NAMES) {
      for (const topic of NAMES) {
        const key = keys.keyOf({ consumer, topic, partition: 0 });
        expect(keys.nameOf(key)).toEqual({ consumer, topic, content: "positions" });
        seen.add(key);
      }
    }
    expect(seen.size).toBe(NAMES.length ** 2);
    const members = [...NAMES, "", "group.ndjson", "members"];
    for (const consumer of NAMES) {
      const name = { consumer, topic: "members" };
      for (const member of members) {
        const key = keys.keyOf({ ...name, member });
        expect(keys.nameOf(key)).toMatchObject({ ...name, content: "member" });
        seen.add(key);
      }
    }
    expect(seen.size).toBe(NAMES.length ** 2 + NAMES.length * members.length);
    const folders = new Set(
      [...seen].flatMap((key) => key.split("/").map((_, at, parts) => parts.slice(0, at).join("/"))),
    );
    expect([...seen].filter((key) => folders.has(key))).toEqual([]);
  });

  it("tell members by their names where they fit, and otherwise keep them apart", () => {
    const nameOf = (member: string) => keys.nameOf(keys.keyOf({ consumer: "c", topic: "t", member }))?.member;
    for (const member of ["", "worker-1", "a/b", "..", "x".repeat(64)]) expect(nameOf(member)).toBe(member);
    expect(nameOf("x".repeat(65))).toMatch(/^!h[\w-]{43}$/u);
  });

  it("stay within what S3 and file systems take, at the longest", () => {
    const longest = new ObjectKeys("p".repeat(190), "/".repeat(255));
    for (const name of ["/".repeat(255), "é".repeat(127), "x".repeat(255)]) {
      for (const kind of [{ partition: 0 }, { member: "" }, { member: name }, { member: "x".repeat(64) }]) {
        const key = longest.keyOf({ consumer: name, topic: name, ...kind });
        expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1024);
        for (const segment of key.split("/")) expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
        expect(key).toMatch(/^[A-Za-z0-9._!/-]+$/u);
      }
    }
  });

  it("keep namespaces apart, the long ones too", () => {
    const namespaces = [...NAMES, `${"/".repeat(254)}a`, `${"/".repeat(254)}b`];
    const roots = namespaces.map((namespace) => new ObjectKeys("p", namespace).root);
    expect(new Set(roots).size).toBe(namespaces.length);
    for (const root of roots) expect(root).toMatch(/^p\/[A-Za-z0-9_!-][A-Za-z0-9._!-]*\/$/u);
  });

  it("find no name in what is not theirs", () => {
    for (const key of [
      ...["", "p/q/tidemark/", "p/q/tidemark/c/t", "p/q/tidemark/c/t/offsets.ndjson/", "p/q/tidemark/c/t/other.json"],
      ...["p/q/tidemark/c//offsets.ndjson", "p/q/tidemark/c/t/u/offsets.ndjson", "p/q/other/c/t/offsets.ndjson"],
      ...[
        "p/q/tidemark/c/t!/offsets.ndjson",
        "p/q/tidemark/c/t!2f/offsets.ndjson",
        "p/q/tidemark/c/!6F/offsets.ndjson",
      ],
      ...[
        "p/q/tidemark/c/!FF/offsets.ndjson",
        "p/q/tidemark/!_YQ/c/t/offsets.ndjson",
        "p/q/tidemark/!-YQ/t/offsets.ndjson",
      ],
      ...["p/q/tidemark/.hidden/t/offsets.ndjson", "p/q/tidemark/é/t/offsets.ndjson", keys.probeKey("x")],
      ...[
        "p/q/tidemark/c/t/members/",
        "p/q/tidemark/c/t/members/a/b",
        "p/q/tidemark/c/t/members",
        "p/q/tidemark/c/t/x/m",
      ],
    ]) {
      expect(keys.nameOf(key), key).toBeUndefined();
    }
  });

  it.each(["/", "//", "/a", "a//b", "a/./b", "..", "a\nb", "\ud800", "x".repeat(256), "x/".repeat(100)])(
    "refuse the prefix %j",
    (prefix) => {
      expect(() => new ObjectKeys(prefix, "n")).toThrow(TypeError);
    },
  );
});
