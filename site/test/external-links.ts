import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { repositoryUrl, rootFolder } from "../src/repository.ts";

/** What is wrong with a link out of the site, as far as one can tell without following it, or `undefined`. */
export function complaintAboutLink(link: string): string | undefined {
  if (!URL.canParse(link)) return `${link} is no address`;
  const { protocol, hostname, pathname, hash } = new URL(link);
  if (protocol !== "https:") return `${link} is not https`;
  if (!hostname.includes(".")) return `${link} names no host of the internet`;
  const file = /^\/(?:blob|tree)\/main\/(?<path>.+)$/.exec(
    link.startsWith(`${repositoryUrl}/`) ? pathname.slice(new URL(repositoryUrl).pathname.length) : "",
  )?.groups?.["path"];
  if (file === undefined) return undefined;
  const whole = join(rootFolder, decodeURIComponent(file));
  if (!existsSync(whole)) return `${link}: the repository has no such file`;
  const line = Number(/^#L(?<line>\d+)$/.exec(hash)?.groups?.["line"] ?? 0);
  if (line === 0 || statSync(whole).isDirectory()) return undefined;
  return readFileSync(whole, "utf8").split("\n").length < line ? `${link}: the file is shorter` : undefined;
}
