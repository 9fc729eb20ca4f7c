import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { LogUrlOpener } from "@tidemark/core";
import { resolveLogUrlOptions } from "@tidemark/core/driver";
import { type LocalLogOptions, openLocalLog } from "./local-log.ts";

/** Opens a local log by URL: `local:relative/file`, `local:/absolute/file` or `local:///absolute/file`, `?synchronous=normal`. */
export const logUrl: LogUrlOpener = Object.freeze({
  schemes: Object.freeze(["local"]),
  usage: "local:FILE",
  async open(url, options = {}) {
    const { settings } = resolveLogUrlOptions(options);
    const [name] = Object.keys(settings);
    if (name !== undefined)
      throw new TypeError(`a local log has no settings; ${JSON.stringify(name)} is not one of them`);
    return openLocalLog(parseLocalLogUrl(url));
  },
  async exists(url) {
    const { file } = parseLocalLogUrl(url);
    // Where its folder is missing, opening says so.
    return existsSync(file) || !existsSync(dirname(resolve(file)));
  },
} satisfies LogUrlOpener);

/** What such a URL asks for; one that makes no sense is a `TypeError`. */
export function parseLocalLogUrl(url: string): LocalLogOptions {
  const [, rest] = /^local:(.*)$/is.exec(url) ?? [];
  if (rest === undefined) throw new TypeError(`a local log's URL is local:FILE, not ${JSON.stringify(url)}`);
  const queryAt = rest.indexOf("?");
  const path = queryAt === -1 ? rest : rest.slice(0, queryAt);
  const query = new URLSearchParams(queryAt === -1 ? "" : rest.slice(queryAt + 1));
  const file = toFile(path);
  if (file === "") throw new TypeError(`${JSON.stringify(url)} names no file: write local:FILE`);
  for (const [name, value] of query) {
    if (name !== "synchronous") {
      throw new TypeError(`a local log's URL takes "synchronous", not ${JSON.stringify(name)}`);
    }
    if (value !== "full" && value !== "normal") {
      throw new TypeError(`synchronous must be full or normal, not ${JSON.stringify(value)}`);
    }
    return { file, synchronous: value };
  }
  return { file };
}

function toFile(path: string): string {
  if (path.startsWith("///")) return fileURLToPath(`file:${path}`);
  if (path.startsWith("//")) {
    // Not repeated: what stands before a host may be a password, meant for another log.
    throw new TypeError("the URL names a host, and a local log has none: write local:FILE or local:///ABSOLUTE/FILE");
  }
  try {
    return decodeURIComponent(path);
  } catch {
    // A file's name with a plain percent sign in it.
    return path;
  }
}
