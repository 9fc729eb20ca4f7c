import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { StoreUrlOpener } from "@tidemark/core";
import { IN_MEMORY } from "./connection.ts";
import { openSqliteStore } from "./open-sqlite-store.ts";

/**
 * Opens `sqlite:FILE`: `sqlite:relative/file.db`, `sqlite:/absolute/file.db` or `sqlite:///absolute/file.db`, with
 * `?synchronous=normal` where that is wanted. `%3F` and the like stand for characters that a URL cannot hold.
 */
export const storeUrl: StoreUrlOpener = Object.freeze({
  schemes: Object.freeze(["sqlite"]),
  usage: "sqlite:FILE",
  async open(url, options = {}) {
    const { file, synchronous } = parse(url);
    return openSqliteStore({ ...options, file, ...(synchronous !== undefined && { synchronous }) });
  },
  async exists(url) {
    const { file } = parse(url);
    // Where its folder is missing, opening says so.
    return file === IN_MEMORY || existsSync(file) || !existsSync(dirname(resolve(file)));
  },
} satisfies StoreUrlOpener);

function parse(url: string): { file: string; synchronous: "full" | "normal" | undefined } {
  const match = /^sqlite:(?<path>[^?#]*)(?:\?(?<query>[^#]*))?$/su.exec(url);
  const path = match?.groups?.["path"];
  if (path === undefined) throw new TypeError(`${JSON.stringify(url)} is not sqlite:FILE`);
  if (path.startsWith("//") && !path.startsWith("///")) {
    throw new TypeError(
      // Not repeated: what stands before a host may be a password, meant for another store.
      "the URL names a host, and SQLite has none: write sqlite:FILE or sqlite:///ABSOLUTE/FILE",
    );
  }
  const file = decode(url, path.startsWith("///") ? path.slice(2) : path);
  if (file === "") throw new TypeError(`${JSON.stringify(url)} names no file: write sqlite:FILE`);
  let synchronous: "full" | "normal" | undefined;
  for (const [name, value] of new URLSearchParams(match?.groups?.["query"] ?? "")) {
    if (name !== "synchronous") {
      throw new TypeError(`${JSON.stringify(url)} has the unknown option ${JSON.stringify(name)}; known: synchronous`);
    }
    if (value !== "full" && value !== "normal") {
      throw new TypeError(`synchronous must be full or normal, not ${JSON.stringify(value)}`);
    }
    synchronous = value;
  }
  return { file, synchronous };
}

function decode(url: string, path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new TypeError(`${JSON.stringify(url)} has a % that is not an escape: write it as %25`);
  }
}
